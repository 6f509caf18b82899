package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"drrun/engine"
)

// errDropped is what a line editor returns for a line that Ctrl-C took back.
var errDropped = errors.New("the line was dropped")

// lineEditor reads lines from the terminal, with the keys, history and completion that people expect; or where there is no terminal, from
// the standard input as they come.
type lineEditor struct {
	env      Env
	model    engine.Env
	plain    *lines
	keys     *keys
	terminal *term.Terminal
	history  *consoleHistory
	complete func(text string) (from int, words []string)
}

func newLineEditor(env Env, model engine.Env, history *consoleHistory, complete func(text string) (from int, words []string)) *lineEditor {
	e := &lineEditor{env: env, model: model, history: history, complete: complete}
	if !env.interactive() || env.RawTerminal == nil {
		e.plain = &lines{from: env.Stdin}
		return e
	}
	e.keys = &keys{from: env.Stdin, to: env.Stderr}
	return e
}

// read returns the next line; io.EOF where there is none, errDropped where Ctrl-C took it back.
func (e *lineEditor) read(ctx context.Context, prompt string) (string, error) {
	if e.plain != nil {
		return e.plain.readRaw(ctx, e.model)
	}
	restore, err := e.env.RawTerminal()
	if err != nil {
		return "", err
	}
	defer restore()
	if e.terminal == nil {
		e.terminal = term.NewTerminal(e.keys, prompt)
		e.terminal.History = e.history
		e.terminal.AutoCompleteCallback = e.key
	}
	e.terminal.SetPrompt(prompt)
	if width := e.env.Width(e.env.Stderr); width > 0 {
		_ = e.terminal.SetSize(width, 24) // only the width counts, and it redraws at once where it changed
	}
	e.keys.interrupted = false
	var line string
	read := make(chan struct{})
	e.model.Go(func() {
		line, err = e.terminal.ReadLine()
		close(read)
	})
	if _, waitErr := e.model.Clock.Wait(ctx, -1, read); waitErr != nil {
		return "", waitErr // the reader is left behind
	}
	if err != nil && e.keys.interrupted {
		e.terminal = nil // it still has what was typed
		_, _ = io.WriteString(e.env.Stderr, "^C\r\n")
		return "", errDropped
	}
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	if errors.Is(err, io.EOF) {
		_, _ = io.WriteString(e.env.Stderr, "\r\n")
	}
	return line, err
}

// key completes at the tabulator, and lets all other keys be.
func (e *lineEditor) key(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != '\t' {
		return "", 0, false
	}
	before := line[:pos]
	if strings.TrimSpace(before) == "" {
		return before + "  " + line[pos:], pos + 2, true
	}
	from, words := e.complete(before)
	added := commonBeginning(words)
	if typed := before[from:]; added == typed && len(words) > 1 {
		_, _ = e.terminal.Write([]byte(columns(words, e.env.Width(e.env.Stderr))))
		return line, pos, true
	}
	if len(words) == 0 {
		return line, pos, true
	}
	return before[:from] + added + line[pos:], from + len(added), true
}

func commonBeginning(words []string) string {
	if len(words) == 0 {
		return ""
	}
	common := words[0]
	for _, word := range words[1:] {
		for !strings.HasPrefix(word, common) {
			_, size := utf8.DecodeLastRuneInString(common)
			common = common[:len(common)-size]
		}
	}
	return common
}

// maxListed bounds how many words a completion lists.
const maxListed = 100

// columns lays words out side by side.
func columns(words []string, width int) string {
	more := len(words) - maxListed
	words = slices.Clone(words[:min(len(words), maxListed)])
	longest := 0
	for _, word := range words {
		longest = max(longest, utf8.RuneCountInString(word))
	}
	perLine := max(1, max(width, 40)/(longest+2))
	var b strings.Builder
	for i, word := range words {
		b.WriteString(word)
		if (i+1)%perLine == 0 || i == len(words)-1 {
			b.WriteString("\n")
		} else {
			b.WriteString(strings.Repeat(" ", longest+2-utf8.RuneCountInString(word)))
		}
	}
	if more > 0 {
		b.WriteString("… and more: type another letter\n")
	}
	return b.String()
}

// keys are the two directions of a terminal in one; it notices Ctrl-C, which the library takes for the end.
type keys struct {
	from        io.Reader
	to          io.Writer
	interrupted bool
}

// Read reads keys.
func (k *keys) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	k.interrupted = k.interrupted || slices.Contains(p[:n], 3)
	return n, err
}

// Write shows text.
func (k *keys) Write(p []byte) (int, error) { return k.to.Write(p) }
