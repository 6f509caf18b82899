package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// The JSON of an engine is its XML model written by Jackson: the members of an object's own class come first, then those of its
// base classes, href and id at the end; nulls and empty lists are left out; integers and booleans are strings because JAXB
// adapters parse them, decimals are numbers, dates are milliseconds since 1970 (ovirt-engine CustomObjectMapperFactory.java,
// api.xjb). The lab makes it from the XML document, which only requests that ask for JSON pay for.

// asJSON turns a document of the API into JSON.
func asJSON(doc *node) []byte {
	w := &jsonWriter{}
	w.object(doc)
	return w.b.Bytes()
}

type jsonWriter struct {
	b     bytes.Buffer
	depth int
}

// baseMembers belong to the base class BaseResource and follow the members of a class.
var baseMembers = []string{"actions", "name", "description", "comment", "link"}

func (w *jsonWriter) object(n *node) {
	first := true
	key := func(name string) {
		if first {
			w.b.WriteString("{\n")
			w.depth++
		} else {
			w.b.WriteString(",\n")
		}
		first = false
		for range w.depth {
			w.b.WriteString("  ")
		}
		w.str(name)
		w.b.WriteString(" : ")
	}
	wrapper := isCollection(n)
	member := func(i int) {
		c := n.children[i]
		array := wrapper || c.name == "link"
		if !array {
			key(c.name)
			w.value(n, c)
			return
		}
		for _, earlier := range n.children[:i] {
			if earlier.name == c.name {
				return // the array is written already
			}
		}
		key(c.name)
		w.b.WriteString("[ ")
		written := 0
		for _, e := range n.children[i:] {
			if e.name != c.name {
				continue
			}
			if written > 0 {
				w.b.WriteString(", ")
			}
			w.value(n, e)
			written++
		}
		w.b.WriteString(" ]")
	}
	base := func(name string) bool {
		for _, b := range baseMembers {
			if b == name {
				return !wrapper
			}
		}
		return false
	}
	for i, c := range n.children {
		if !base(c.name) {
			member(i)
		}
	}
	for _, b := range baseMembers {
		for i, c := range n.children {
			if c.name == b && base(b) {
				member(i)
				if b == "link" {
					break
				}
			}
		}
	}
	for _, a := range attributeOrder(n) {
		key(a)
		w.str(n.attrs[a])
	}
	if first {
		w.b.WriteString("{ }")
		return
	}
	w.depth--
	w.b.WriteByte('\n')
	for range w.depth {
		w.b.WriteString("  ")
	}
	w.b.WriteByte('}')
}

// value writes an element: an object where it has members or attributes, else its text in the form that its type has.
func (w *jsonWriter) value(parent, n *node) {
	text := strings.TrimSpace(n.text)
	switch {
	case len(n.children) > 0 || len(n.attrs) > 0 || collections[n.name] && text == "":
		w.object(n)
	case text != "" && jsonDates[n.name]:
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			w.b.WriteString(strconv.FormatInt(t.UnixMilli(), 10))
			return
		}
		w.str(n.text)
	case text != "" && (jsonDecimals[n.name] || n.name == "priority" && parent.name == "affinity_group"):
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			w.b.WriteString(text)
			return
		}
		w.str(n.text)
	default:
		w.str(n.text)
	}
}

// str writes a string as Jackson does: only what JSON demands is escaped.
func (w *jsonWriter) str(s string) {
	w.b.WriteByte('"')
	for i := range len(s) {
		switch b := s[i]; {
		case b == '"' || b == '\\':
			w.b.WriteByte('\\')
			w.b.WriteByte(b)
		case b == '\n':
			w.b.WriteString(`\n`)
		case b == '\r':
			w.b.WriteString(`\r`)
		case b == '\t':
			w.b.WriteString(`\t`)
		case b < 0x20:
			const hex = "0123456789ABCDEF"
			w.b.WriteString(`\u00`)
			w.b.WriteByte(hex[b>>4])
			w.b.WriteByte(hex[b&15])
		default:
			w.b.WriteByte(b)
		}
	}
	w.b.WriteByte('"')
}

// isCollection reports whether an element wraps a list: it has the name of one, and children of one name only. (The hosts of the
// API root's summary are no list.)
func isCollection(n *node) bool {
	if n.name == "actions" || !collections[n.name] || len(n.attrs) > 0 {
		return false
	}
	for _, c := range n.children {
		if c.name != n.children[0].name {
			return false
		}
	}
	return true
}

// parseJSON reads a request's body as the element root. It is as strict as the engine's parser about syntax; what members an
// element may have is the caller's to check.
func parseJSON(root string, body []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("the document is no object")
	}
	n := &node{name: root}
	if err := jsonMembers(d, n); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the document")
	}
	return n, nil
}

// jsonMembers reads the members of an object up to its end.
func jsonMembers(d *json.Decoder, n *node) error {
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return nil // the end of the object
		}
		if t, err = d.Token(); err != nil {
			return err
		}
		if t != json.Delim('[') {
			if err := jsonMember(d, n, name, t); err != nil {
				return err
			}
			continue
		}
		for {
			if t, err = d.Token(); err != nil {
				return err
			}
			if t == json.Delim(']') {
				break
			}
			if err := jsonMember(d, n, name, t); err != nil {
				return err
			}
		}
	}
}

func jsonMember(d *json.Decoder, n *node, name string, t json.Token) error {
	c := &node{name: name}
	switch v := t.(type) {
	case nil:
		return nil // null is the same as absent
	case json.Delim:
		if v != '{' {
			return errors.New("a list inside a list")
		}
		if err := jsonMembers(d, c); err != nil {
			return err
		}
	case bool:
		c.text = strconv.FormatBool(v)
	case json.Number:
		c.text = v.String()
	case string:
		if name == "id" || name == "href" || name == "rel" {
			if n.attrs == nil {
				n.attrs = map[string]string{}
			}
			n.attrs[name] = v
			return nil
		}
		c.text = v
	}
	n.children = append(n.children, c)
	return nil
}
