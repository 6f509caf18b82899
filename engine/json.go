package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
)

// marshal is json.Marshal that leaves <, > and & readable.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte{'\n'}), nil
}

// Canonical returns v as JSON with sorted keys and without spaces, whatever type it has:
// equal values give equal bytes. Numbers stay as they are written.
func Canonical(v any) (json.RawMessage, error) {
	raw, err := marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return marshal(tree)
}

// Digest is the sha256 in hex of the canonical JSON of v: what tells the arguments of
// one step from those of another.
func Digest(v any) (string, error) {
	raw, err := Canonical(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// redactRecord takes secrets out of the texts of a record. What it points to is replaced,
// not changed: the run has it too. A test plants a secret in every field, so that a new
// field must be put here or on the list of those that identify something.
func redactRecord(rec *Record, redact func(string) string) {
	rec.How, rec.Reason = redact(rec.How), redact(rec.Reason)
	if rec.Kind != kindFacts {
		rec.Data = redactJSON(rec.Data, true, redact)
	}
	if rec.Head != nil {
		h := *rec.Head
		h.Params = redactJSON(h.Params, true, redact)
		rec.Head = &h
	}
	if rec.Intent != nil {
		in := *rec.Intent
		in.Path, in.Retry = redact(in.Path), redact(in.Retry)
		rec.Intent = &in
	}
	if rec.Outcome != nil {
		o := *rec.Outcome
		o.Error = redact(o.Error)
		rec.Outcome = &o
	}
	if rec.Step != nil {
		s := *rec.Step
		s.Title = redact(s.Title)
		rec.Step = &s
	}
	if rec.Result != nil {
		res := *rec.Result
		res.Value, res.Error = redactJSON(res.Value, true, redact), redact(res.Error)
		rec.Result = &res
	}
	if rec.Mark != nil {
		m := *rec.Mark
		m.Error, m.Detail = redact(m.Error), redact(m.Detail)
		rec.Mark = &m
	}
}

// redactJSON applies redact to every string in a JSON text, with keys also to those of
// objects. It works on the text, so that no field can be forgotten, and on decoded
// strings, so that escapes hide nothing.
func redactJSON(text []byte, keys bool, redact func(string) string) []byte {
	var out []byte // nil until something changed
	done := 0      // what of text is in out
	for i := 0; i < len(text); {
		if text[i] != '"' {
			i++
			continue
		}
		end, escaped := i+1, false
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				escaped = true
				end++
			}
			end++
		}
		if end >= len(text) {
			break // no JSON
		}
		s := string(text[i+1 : end])
		if escaped {
			var plain string
			if json.Unmarshal(text[i:end+1], &plain) == nil {
				s = plain
			}
		}
		if keys || !bytes.HasPrefix(bytes.TrimLeft(text[end+1:], " \t\r\n"), []byte{':'}) {
			if clean := redact(s); clean != s {
				if quoted, err := marshal(clean); err == nil {
					out = append(append(out, text[done:i]...), quoted...)
					done = end + 1
				}
			}
		}
		i = end + 1
	}
	if out == nil {
		return text
	}
	return append(out, text[done:]...)
}
