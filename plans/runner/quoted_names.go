package runner

import (
	"bytes"
	"regexp"
	"slices"
)

// names are the texts in quotes of Lua files, each with the files in which it stands, and those that stand only as the older name of a
// step. A run of many VMs has many steps, so the files are read through once.
type names struct {
	files   map[string][]string
	renamed map[string]bool // by name: whether each place says was = "name"
}

var wasOption = regexp.MustCompile(`\bwas\s*=\s*$`)

// namesIn takes for a text what stands between any two quotes of a kind on a line: which of them open and which close need not be known,
// and a quote in a comment does no harm.
func namesIn(lua map[string][]byte) names {
	n := names{files: map[string][]string{}, renamed: map[string]bool{}}
	for path, content := range lua {
		for line := range bytes.Lines(content) {
			for _, quote := range []byte(`"'`) {
				n.between(path, line, []byte{quote}, []byte{quote})
			}
			n.between(path, line, []byte("[["), []byte("]]"))
		}
	}
	for _, files := range n.files {
		slices.Sort(files)
	}
	return n
}

func (n names) between(path string, line, opens, closes []byte) {
	for at := bytes.Index(line, opens); at >= 0; {
		begin := at + len(opens)
		length := bytes.Index(line[begin:], closes)
		if length < 0 {
			return
		}
		name := string(line[begin : begin+length])
		known := len(n.files[name]) > 0
		n.renamed[name] = (n.renamed[name] || !known) && wasOption.Match(line[:at])
		if !slices.Contains(n.files[name], path) {
			n.files[name] = append(n.files[name], path)
		}
		next := bytes.Index(line[begin:], opens)
		if next < 0 {
			return
		}
		at = begin + next
	}
}
