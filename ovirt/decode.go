package ovirt

// How answers are read.
//
// An answer is trusted only as a whole: status, content type and root element are checked first, then the elements are decoded
// one at a time straight from the body into small structs of ours, and the result counts only when the document turned out to be
// well-formed up to its end. So a list that was cut off is an error and never a shorter list, an HTML page is an error and never
// "nothing there", and a list of 5,000 VMs costs the memory of one big element at a time (a whole vms document of that size
// decoded at once costs 324 MB).
//
// Each element is handed to go-ovirt's exported reader (measured: 25 % above the cost of tokenising alone). Its traps: it prints
// to stdout when it must look for a start element itself, so it always gets one; it takes an end of input as the end of an
// element, which encoding/xml's strict decoder never reports inside one; and it panics where an enumerated value is cut off,
// which guarded turns into an error.

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"regexp"
	"runtime"
	"strings"

	sdk "github.com/ovirt/go-ovirt"
)

// document reads one XML document from a body.
type document struct {
	source *source
	*sdk.XMLReader
}

// source remembers the error of the connection, so that a cut connection is told apart from a malformed document.
type source struct {
	r     io.Reader
	err   error
	bytes int64
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.bytes += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func newDocument(r io.Reader) *document {
	src := &source{r: r}
	return &document{source: src, XMLReader: &sdk.XMLReader{Decoder: xml.NewDecoder(src)}}
}

// rootError says that the document is another one than was asked for.
type rootError struct{ got, want string }

func (e *rootError) Error() string {
	if e.got == "" {
		return fmt.Sprintf("the answer is empty where <%s> was expected", e.want)
	}
	return fmt.Sprintf("the answer is <%s> where <%s> was expected", e.got, e.want)
}

// root reads up to the root element, which must be want; "" takes any.
func (d *document) root(want string) (*xml.StartElement, error) {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil, &rootError{want: want}
		}
		if err != nil {
			return nil, d.malformed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if want != "" && t.Name.Local != want {
				return nil, &rootError{got: t.Name.Local, want: want}
			}
			start := t.Copy()
			return &start, nil
		case xml.CharData:
			if len(strings.TrimSpace(string(t))) > 0 {
				return nil, errors.New("the answer is not XML")
			}
		}
	}
}

// end reads what follows the root element: nothing but white space and comments may.
func (d *document) end() error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return d.malformed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			return errors.New("the answer has a second root element")
		case xml.CharData:
			if len(strings.TrimSpace(string(t))) > 0 {
				return errors.New("the answer has text after its end")
			}
		}
	}
}

// each calls fn for every child element; fn must consume the element it gets.
func (d *document) each(fn func(*xml.StartElement) error) error {
	for {
		token, err := d.Token()
		if err != nil {
			return d.malformed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			start := t.Copy()
			if err := fn(&start); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

func (d *document) malformed(err error) error {
	if d.source.err != nil {
		return d.source.err
	}
	return fmt.Errorf("the answer is cut off or malformed after %d bytes: %w", d.source.bytes, err)
}

// guarded calls a reader of go-ovirt. Where an element with an enumerated value is cut off, the reader follows a nil pointer
// before it looks at the error (measured), so that panic, and no other, is the error of a malformed document.
func guarded[S any](d *document, read func(*sdk.XMLReader, *xml.StartElement, string) (*S, error), start *xml.StartElement, tag string) (object *S, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			if _, ok := trouble.(runtime.Error); !ok {
				panic(trouble)
			}
			object, err = nil, d.malformed(fmt.Errorf("<%s> ends inside", tag))
		}
	}()
	object, err = read(d.XMLReader, start, tag)
	if err == nil && object == nil {
		err = fmt.Errorf("<%s> is empty", tag)
	}
	if err != nil {
		return nil, d.malformed(err)
	}
	return object, nil
}

// decoder turns a whole document into a T.
type decoder[T any] func(*document) (T, error)

// element decodes a document that is one object.
func element[S, T any](root string, read func(*sdk.XMLReader, *xml.StartElement, string) (*S, error), convert func(*S) T) decoder[T] {
	return func(d *document) (out T, err error) {
		start, err := d.root(root)
		if err != nil {
			return out, err
		}
		object, err := guarded(d, read, start, root)
		if err != nil {
			return out, err
		}
		if err := d.end(); err != nil {
			return out, err
		}
		return convert(object), nil
	}
}

// list decodes a document that is a collection, element by element. Elements of other names are skipped.
func list[S, T any](root, item string, read func(*sdk.XMLReader, *xml.StartElement, string) (*S, error), convert func(*S) T) decoder[[]T] {
	return func(d *document) ([]T, error) {
		if _, err := d.root(root); err != nil {
			return nil, err
		}
		out := []T{}
		err := d.each(func(start *xml.StartElement) error {
			if start.Name.Local != item {
				if err := d.Skip(); err != nil {
					return d.malformed(err)
				}
				return nil
			}
			object, err := guarded(d, read, start, item)
			if err != nil {
				return err
			}
			out = append(out, convert(object))
			return nil
		})
		if err != nil {
			return nil, err
		}
		return out, d.end()
	}
}

// action is the answer to a POST of an action.
type action struct {
	Status         string // complete, pending, in_progress, failed
	Reason, Detail string // of a fault, which may come with HTTP 200 too (ovirt-engine BackendHostResource.java, fence)
	Faulty         bool
	Attached       *bool  // the answer of isattached
	Power          string // the answer of a fence action of type status: on, off or unknown
}

var decodeAction = element("action", sdk.XMLActionReadOne, func(a *sdk.Action) action {
	out := action{}
	out.Status, _ = a.Status()
	if fault, ok := a.Fault(); ok {
		out.Faulty = true
		out.Reason, _ = fault.Reason()
		out.Detail, _ = fault.Detail()
	}
	if attached, ok := a.IsAttached(); ok {
		out.Attached = &attached
	}
	if power, ok := a.PowerManagement(); ok {
		out.Power = string(first(power.Status()))
	}
	return out
})

// maxFault bounds the body of an error answer.
const maxFault = 1 << 20

// readFault reads the body of an error answer: a <fault>, an <action> with one, nothing, or something that is not the engine's.
func readFault(contentType string, body io.Reader) (reason, detail string, engine bool) {
	text, err := io.ReadAll(io.LimitReader(body, maxFault))
	if err != nil {
		return "", "", false
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return "", "", true
	}
	if !isXML(contentType) {
		return "", title(text), false
	}
	d := newDocument(strings.NewReader(string(text)))
	start, err := d.root("")
	if err != nil {
		return "", "", false
	}
	switch start.Name.Local {
	case "fault":
		if fault, err := guarded(d, sdk.XMLFaultReadOne, start, "fault"); err == nil && d.end() == nil {
			reason, _ = fault.Reason()
			detail, _ = fault.Detail()
			return reason, detail, true
		}
	case "action":
		if a, err := guarded(d, sdk.XMLActionReadOne, start, "action"); err == nil && d.end() == nil {
			if fault, ok := a.Fault(); ok {
				reason, _ = fault.Reason()
				detail, _ = fault.Detail()
			}
			return reason, detail, true
		}
	}
	return "", "", false
}

// isXML accepts the content types under which an engine sends XML.
func isXML(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"))
}

var titlePattern = regexp.MustCompile(`(?is)<title[^>]*>(.{0,200}?)</title>`)

// title names an HTML page in a message.
func title(text []byte) string {
	if m := titlePattern.FindSubmatch(text); m != nil {
		return strings.Join(strings.Fields(string(m[1])), " ")
	}
	return ""
}
