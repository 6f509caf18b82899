package lab

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// The lab's own documents have one tag, or one element without children, on each line. To follow links and to make JSON they are read
// again, line by line, which takes a tenth of the time of a general parser.

// readLines reads a document of xmlWriter. With lazy, members of objects that have members themselves stay as they stand.
func readLines(doc []byte, lazy bool) (*node, error) {
	root := &node{}
	open := []*node{root}
	keep := 2 // depth at which lines stay: below the object
	for len(doc) > 0 {
		line, rest, _ := bytes.Cut(doc, []byte{'\n'})
		margin := 0
		for margin < len(line) && line[margin] == ' ' {
			margin++
		}
		tag := line[margin:]
		switch {
		case len(tag) < 3 || tag[0] != '<':
			return nil, errors.New("a line without a tag")
		case tag[1] == '?':
		case tag[1] == '/':
			if len(open) < 2 {
				return nil, errors.New("an end without a beginning")
			}
			open = open[:len(open)-1]
		default:
			n, opened := readTag(tag)
			if n == nil {
				return nil, errors.New("a broken tag")
			}
			if len(open) == 1 && collections[n.name] {
				keep = 3
			}
			parent := open[len(open)-1]
			parent.children = append(parent.children, n)
			if opened && lazy && len(open) >= keep {
				end := endOf(doc, margin, n.name)
				if end < 0 {
					return nil, errors.New("an element without an end")
				}
				n.lines, rest = doc[:end], doc[end:]
				n.margin = margin
			} else if opened {
				open = append(open, n)
			}
		}
		doc = rest
	}
	if len(open) != 1 || len(root.children) != 1 {
		return nil, errors.New("not one element")
	}
	return root.children[0], nil
}

// endOf returns where the lines of an element that begins a text end, -1 for nowhere.
func endOf(text []byte, margin int, name string) int {
	end := "\n" + indents[:min(margin, len(indents))] + "</" + name + ">\n"
	if i := bytes.Index(text, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return -1
}

// readTag reads a line. opened tells that the element's members and its end follow.
func readTag(line []byte) (n *node, opened bool) {
	i := 1
	for i < len(line) && line[i] != ' ' && line[i] != '>' && line[i] != '/' {
		i++
	}
	n = &node{name: string(line[1:i])}
	for i < len(line) && line[i] == ' ' {
		eq := bytes.IndexByte(line[i:], '=')
		if eq < 0 || i+eq+1 >= len(line) || line[i+eq+1] != '"' {
			return nil, false
		}
		name, from := string(line[i+1:i+eq]), i+eq+2
		to := bytes.IndexByte(line[from:], '"')
		if to < 0 {
			return nil, false
		}
		if n.attrs == nil {
			n.attrs = make(map[string]string, 2)
		}
		n.attrs[name] = unescaped(line[from : from+to])
		i = from + to + 1
	}
	switch {
	case i >= len(line):
		return nil, false
	case line[i] == '/':
		return n, false
	case i == len(line)-1:
		return n, true
	}
	end := bytes.LastIndex(line, []byte("</"))
	if end < i {
		return nil, false
	}
	n.text = unescaped(line[i+1 : end])
	return n, false
}

var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#34;", `"`, "&#39;", "'")

// unescaped turns what xmlWriter wrote for a text into the text.
func unescaped(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 {
		return string(b)
	}
	s := string(b)
	if !strings.Contains(s, "&#x") {
		return entities.Replace(s)
	}
	var out strings.Builder
	for len(s) > 0 {
		before, after, found := strings.Cut(s, "&#x")
		out.WriteString(entities.Replace(before))
		if !found {
			break
		}
		digits, rest, _ := strings.Cut(after, ";")
		if code, err := strconv.ParseUint(digits, 16, 32); err == nil {
			out.WriteRune(rune(code))
		}
		s = rest
	}
	return out.String()
}

// writeLines writes lines that were kept, with the margin of where they stand now.
func (n *node) writeLines(x *xmlWriter) {
	if n.margin == x.depth*4 {
		x.b = append(x.b, n.lines...)
		return
	}
	for line := range bytes.Lines(n.lines) {
		x.b.WriteString(indents[:min(x.depth*4, len(indents))])
		x.b = append(x.b, line[n.margin:]...)
	}
}
