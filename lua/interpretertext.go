package lua

import (
	"fmt"
	"regexp"
	"strings"
)

// indexed is what the interpreter says of a value that has no fields.
var indexed = regexp.MustCompile(`^attempt to index a non-table object\((\w+)\) with key '(.*)'$`)

// notCallable is what the interpreter says of a value that is no function.
const notCallable = "attempt to call a non-function object"

// inOwnWords says what the interpreter has said in words of people who write plans, and what to look at.
func (d *Diagnostic) inOwnWords() {
	if m := indexed.FindStringSubmatch(d.Message); m != nil && m[1] == "nil" {
		d.Message = fmt.Sprintf("%q is asked of a value that is nil: there is nothing of that name, or at that place of the list", m[2])
		d.Hint = "look at what stands in front of it: a misspelt name, a number behind the end of a list, a function that returns nothing"
		return
	} else if m != nil {
		d.Message = fmt.Sprintf("%q is asked of a %s, which has no fields", m[2], m[1])
		return
	}
	if d.Message != notCallable {
		return
	}
	d.Message = "what is called here is no function"
	d.Hint = "a misspelt name, or a module that returned a plain table: a library returns dr.library { … }"
	if strings.HasPrefix(strings.TrimSpace(d.Source), "for ") {
		d.Message = "what stands behind \"in\" is no function"
		d.Hint = "walk through a list with: for _, item in ipairs(LIST) do"
	}
}
