package lab

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The search grammar of the engine (searchbackend): condition [and|or condition …] [sortby field asc|desc] [page n]. There are
// no parentheses and no negation; and binds tighter than or, and is what stands between two conditions without an operator. A bare word, or
// a condition on a field that does not exist, is free text, allowed once. What does not parse is no error: the engine answers 200
// and an empty list (ovirt-engine SearchQuery).

type fieldKind int

const (
	stringField fieldKind = iota
	enumField             // compared without underscores; an unknown value is a parse error
	numberField
	timeField
	uuidField // a malformed value passes the parser and fails in SQL: 400
)

type searchField[T any] struct {
	kind   fieldKind
	str    func(v T) string              // the value, where there is always exactly one
	get    func(e *engine, v T) []string // the values otherwise
	values string                        // of an enumField, separated by blanks
}

// sortKey is what sortby compares.
func (f searchField[T]) sortKey(e *engine, v T) string {
	if f.str != nil {
		return f.str(v)
	}
	return strings.Join(f.get(e, v), ",")
}

// searchSpec is what can be searched in a collection.
type searchSpec[T any] struct {
	fields map[string]searchField[T] // also object.field
	refs   map[string]func(e *engine, v T) []string
	free   func(e *engine, v T) []string
	less   func(a, b T, field string) int // sortby; nil: not sortable
}

var errSearch = errors.New("search expression does not parse")

type condition struct {
	field, op, value string // field "" is free text
}

type query struct {
	or     [][]condition
	sortBy string
	desc   bool
	page   int // from 1; 0 when absent
}

// parseSearch reads an expression. known reports whether a field exists.
func parseSearch(text string, known func(field string) bool) (query, error) {
	var q query
	words, err := searchWords(text)
	if err != nil {
		return q, err
	}
	var and []condition
	free := false
	wantOperand := false // after and, or
	for i := 0; i < len(words); i++ {
		w := words[i]
		lower := strings.ToLower(w.text)
		if !w.quoted {
			switch lower {
			case "and", "or":
				if len(and) == 0 || wantOperand {
					return q, errSearch
				}
				if lower == "or" {
					q.or, and = append(q.or, and), nil
				}
				wantOperand = true
				continue
			case "sortby":
				if i+1 >= len(words) || wantOperand {
					return q, errSearch
				}
				q.sortBy = strings.ToLower(words[i+1].text)
				i++
				if i+1 < len(words) {
					switch strings.ToLower(words[i+1].text) {
					case "asc":
						i++
					case "desc":
						q.desc = true
						i++
					}
				}
				continue
			case "page":
				if i+1 >= len(words) || wantOperand {
					return q, errSearch
				}
				n, err := strconv.Atoi(words[i+1].text)
				if err != nil || n < 1 {
					return q, errSearch
				}
				q.page = n
				i++
				continue
			}
		}
		if q.sortBy != "" || q.page != 0 {
			return q, errSearch
		}
		c := condition{value: w.text}
		if !w.quoted && i+1 < len(words) && words[i+1].op {
			if i+2 >= len(words) || words[i+2].op {
				return q, errSearch
			}
			c = condition{field: lower, op: words[i+1].text, value: words[i+2].text}
			i += 2
			if strings.HasPrefix(c.field, "(") || !known(c.field) {
				c.field = ""
			}
		} else if w.op {
			return q, errSearch
		}
		if c.field == "" {
			if free {
				return q, errSearch
			}
			free = true
		}
		and, wantOperand = append(and, c), false
	}
	if wantOperand {
		return q, errSearch
	}
	if len(and) > 0 {
		q.or = append(q.or, and)
	}
	return q, nil
}

type searchWord struct {
	text       string
	quoted, op bool
}

func searchWords(text string) ([]searchWord, error) {
	var words []searchWord
	if strings.ContainsAny(text, "';") {
		return nil, errSearch
	}
	for i := 0; i < len(text); {
		switch b := text[i]; {
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			i++
		case b == '"':
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				return nil, errSearch
			}
			value := text[i+1 : i+1+end]
			if strings.HasSuffix(value, `\`) {
				return nil, errSearch
			}
			words = append(words, searchWord{text: value, quoted: true})
			i += end + 2
			if i < len(text) && !strings.ContainsRune(" \t\r\n", rune(text[i])) {
				return nil, errSearch // an embedded quote ends the value
			}
		case strings.IndexByte("=!<>", b) >= 0:
			n := 1
			if i+1 < len(text) && text[i+1] == '=' {
				n = 2
			}
			if b == '!' && n == 1 {
				return nil, errSearch
			}
			words = append(words, searchWord{text: text[i : i+n], op: true})
			i += n
		default:
			end := strings.IndexAny(text[i:], " \t\r\n=!<>\"")
			if end < 0 {
				end = len(text) - i
			}
			w := text[i : i+end]
			if strings.HasSuffix(w, `\`) {
				return nil, errSearch
			}
			words = append(words, searchWord{text: w})
			i += end
		}
	}
	return words, nil
}

// search filters a list by the request's search parameter and cuts it by max and page.
func search[T any](c *call, spec *searchSpec[T], list []T) ([]T, *refusal) {
	limit, r := c.number("max")
	if r != nil {
		return nil, r
	}
	text := c.params.Get("search")
	if strings.TrimSpace(text) == "" {
		if limit >= 0 && limit < len(list) && spec.less != nil {
			list = list[:limit]
		}
		return list, nil
	}
	q, err := parseSearch(text, func(f string) bool {
		_, field := spec.fields[f]
		_, ref := spec.refs[f]
		return field || ref
	})
	if err != nil {
		return nil, nil
	}
	if q.page > 1 && limit < 0 {
		return nil, nil
	}
	var or [][]func(T) bool
	for _, conditions := range q.or {
		var and []func(T) bool
		for _, cond := range conditions {
			match, r, err := compile(c, spec, cond)
			if r != nil {
				return nil, r
			}
			if err != nil {
				return nil, nil
			}
			and = append(and, match)
		}
		or = append(or, and)
	}
	var found []T
	for _, v := range list {
		hit := len(or) == 0
		for _, and := range or {
			all := true
			for _, match := range and {
				if !match(v) {
					all = false
					break
				}
			}
			if all {
				hit = true
				break
			}
		}
		if hit {
			found = append(found, v)
		}
	}
	if q.sortBy != "" {
		f, ok := spec.fields[q.sortBy]
		if !ok {
			return nil, nil
		}
		slices.SortStableFunc(found, func(a, b T) int {
			n := compareValues(f.kind, f.sortKey(c.engine, a), f.sortKey(c.engine, b))
			if q.desc {
				return -n
			}
			return n
		})
	}
	if limit >= 0 && spec.less != nil {
		from := min(max(q.page-1, 0)*limit, len(found))
		found = found[from:min(from+limit, len(found))]
	}
	return found, nil
}

// compile makes a matcher of a condition.
func compile[T any](c *call, spec *searchSpec[T], cond condition) (func(T) bool, *refusal, error) {
	e := c.engine
	fold := !c.flagParam("case_sensitive")
	contains := func(get func(*engine, T) []string) func(T) bool {
		match := pattern("*"+cond.value+"*", true)
		return func(v T) bool {
			for _, s := range get(e, v) {
				if match(s) {
					return true
				}
			}
			return false
		}
	}
	if cond.field == "" {
		return contains(spec.free), nil, nil
	}
	if get, ok := spec.refs[cond.field]; ok {
		return contains(get), nil, nil
	}
	f := spec.fields[cond.field]
	value := cond.value
	switch f.kind {
	case enumField:
		if !slices.Contains(strings.Fields(f.values), strings.ToLower(value)) {
			return nil, nil, errSearch
		}
		fold = true
	case numberField:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return nil, nil, errSearch
		}
	case timeField:
		if _, err := parseSearchTime(value); err != nil {
			return nil, nil, errSearch
		}
	case uuidField:
		if !isUUID(value) {
			return nil, bad("ERROR: invalid input syntax for type uuid: %q", value), nil
		}
		fold = true
	}
	match := pattern(value, fold)
	test := func(s string) bool {
		switch f.kind {
		case enumField:
			s = strings.ReplaceAll(s, "_", "")
		case numberField, timeField:
			n := compareValues(f.kind, s, value)
			switch cond.op {
			case "=":
				return n == 0
			case "!=":
				return n != 0
			case "<":
				return n < 0
			case ">":
				return n > 0
			case "<=":
				return n <= 0
			}
			return n >= 0
		}
		return match(s) != (cond.op == "!=")
	}
	if f.kind != numberField && f.kind != timeField && cond.op != "=" && cond.op != "!=" {
		return nil, nil, errSearch
	}
	if f.str != nil {
		return func(v T) bool { return test(f.str(v)) }, nil, nil
	}
	return func(v T) bool {
		values := f.get(e, v)
		for _, s := range values {
			if test(s) {
				return true
			}
		}
		return len(values) == 0 && cond.op == "!="
	}, nil, nil
}

func compareValues(kind fieldKind, a, b string) int {
	switch kind {
	case numberField:
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case timeField:
		x, _ := parseSearchTime(a)
		y, _ := parseSearchTime(b)
		return x.Compare(y)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

func parseSearchTime(s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02", "01/02/2006 15:04:05", "01/02/2006"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errSearch
}

// pattern compares the whole of a value; * stands for anything.
func pattern(p string, fold bool) func(s string) bool {
	if !strings.Contains(p, "*") {
		if fold {
			return func(s string) bool { return strings.EqualFold(p, s) }
		}
		return func(s string) bool { return p == s }
	}
	if fold {
		p = strings.ToLower(p)
	}
	parts := strings.Split(p, "*")
	first, middle, last := parts[0], parts[1:len(parts)-1], parts[len(parts)-1]
	return func(s string) bool {
		if fold {
			s = strings.ToLower(s)
		}
		if !strings.HasPrefix(s, first) {
			return false
		}
		s = s[len(first):]
		for _, m := range middle {
			at := strings.Index(s, m)
			if at < 0 {
				return false
			}
			s = s[at+len(m):]
		}
		return strings.HasSuffix(s, last)
	}
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch b := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if b != '-' {
				return false
			}
		case b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F':
		default:
			return false
		}
	}
	return true
}
