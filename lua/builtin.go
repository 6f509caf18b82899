package lua

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	glua "github.com/yuin/gopher-lua"
)

// builtin is one of drrun's own modules as compiled.
type builtin struct {
	src   *source
	proto *glua.FunctionProto
}

// compiledBuiltins are the modules of all runtimes of the process, by mark: a handful of texts that are part of the program. They can be
// shared, because nothing changes a source or a prototype once it is made; what a module makes when it runs belongs to its runtime.
var compiledBuiltins sync.Map

// compileBuiltin is compileSource for a module of our own: compiling them took a quarter of a short run, for each attempt anew.
func compileBuiltin(name string, text []byte) (builtin, error) {
	mark := builtinMark(name, text)
	if known, ok := compiledBuiltins.Load(mark); ok {
		return known.(builtin), nil
	}
	src, proto, err := compileSource(name, mark, text)
	if err != nil {
		return builtin{}, err
	}
	if found := src.stepCaptures(); len(found) > 0 {
		return builtin{}, found
	}
	src.builtin = true
	compiledBuiltins.Store(mark, builtin{src, proto})
	return builtin{src, proto}, nil
}

// builtinMark is the mark of a module's very text. Its number is so large that markOf never gives it to a file.
func builtinMark(name string, text []byte) string {
	digest := sha256.New()
	fmt.Fprintf(digest, "%d %s ", len(name), name)
	digest.Write(text)
	return fmt.Sprintf("\x01%d\x01", binary.BigEndian.Uint64(digest.Sum(nil))|1<<63)
}
