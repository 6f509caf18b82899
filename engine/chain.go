package engine

import (
	"bytes"
	"fmt"
	"strconv"
)

// chain is how far the records of a journal have been found to follow each other.
type chain struct {
	n    int64  // records
	prev string // what the next record has as prev
}

func newChain() chain { return chain{prev: noPrev} }

// refuses says what is wrong with the next record, "" where nothing is.
func (c *chain) refuses(r *Record) string {
	n := c.n + 1
	switch {
	case n == 1 && r.Kind == kindHead && r.Schema != Schema:
		by := ""
		if r.Head != nil && r.Head.Version != "" {
			by = "; continue it with drrun " + r.Head.Version
		}
		return fmt.Sprintf("the journal has the schema %q, this drrun reads %q%s", r.Schema, Schema, by)
	case n == 1 && r.Kind != kindHead:
		return fmt.Sprintf("it is of kind %q, the first record must be a head", r.Kind)
	case n > 1 && r.Kind == kindHead:
		return "it is a second head"
	}
	if wrong := c.breaks(r.N, r.Prev); wrong != "" {
		return wrong
	}
	if !r.complete() {
		return fmt.Sprintf("it is of kind %q and lacks what that kind has, or the kind is unknown", r.Kind)
	}
	return ""
}

// breaks says why a record does not follow those before it, "" where it does.
func (c *chain) breaks(n int64, prev string) string {
	switch {
	case n != c.n+1:
		return fmt.Sprintf("it has the number %d: records are missing or out of order", n)
	case prev != c.prev:
		return fmt.Sprintf("its hash of record %d does not fit: one of the two was changed", c.n)
	}
	return ""
}

// add takes the line of a record that follows.
func (c *chain) add(line []byte) { c.n, c.prev = c.n+1, hashLine(line) }

// linkOf returns number and prev of a line without decoding it; both are missing where the line does not begin as a record does.
func linkOf(line []byte) (n int64, prev string) {
	rest, found := bytes.CutPrefix(line[:min(len(line), 256)], []byte(`{"n":`))
	number, rest, comma := bytes.Cut(rest, []byte{','})
	_, rest, key := bytes.Cut(rest, []byte(`"prev":"`))
	hash, _, closed := bytes.Cut(rest, []byte{'"'})
	n, err := strconv.ParseInt(string(number), 10, 64)
	if !found || !comma || !key || !closed || err != nil {
		return 0, ""
	}
	return n, string(hash)
}
