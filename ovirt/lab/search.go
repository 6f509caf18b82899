package lab

import (
	"slices"
	"strconv"
	"strings"
)

// A search is condition [and|or condition …] [sortby field asc|desc] [page n]. and binds tighter than or, and two conditions with
// nothing between them must both hold, whatever stands around them. What does not parse is no error: the engine answers 200 and an
// empty list (ovirt-engine SearchQuery.java); what parses but fails in SQL is refused.

// searchField is where the values of a column come from, whose type the grammar tells.
type searchField[T any] struct {
	str func(v T) string              // the value, where there is always exactly one
	get func(e *engine, v T) []string // the values otherwise; none: NULL
}

// of gives the values of an object.
func (f searchField[T]) of(e *engine, v T) []string {
	switch {
	case f.str != nil:
		return []string{f.str(v)}
	case f.get != nil:
		return f.get(e, v)
	}
	return nil
}

// searchSpec is how the lab's objects of a kind are searched. A column of the grammar that it has no field for is NULL.
type searchSpec[T any] struct {
	fields map[string]searchField[T]
}

// row is an object that a searched one refers to: the values of a column.
type row func(column string) []string

// rowsIn are objects of a kind as rows.
func rowsIn[T any](e *engine, spec *searchSpec[T], list ...T) []row {
	rows := make([]row, len(list))
	for i, v := range list {
		rows[i] = func(column string) []string { return spec.fields[column].of(e, v) }
	}
	return rows
}

// nothing is the row that an outer join gives where there is none to join.
func nothing(string) []string { return nil }

// matcher decides about an object and one row of each kind of object that the expression refers to.
type matcher[T any] func(v T, joined []row) bool

// search filters a list by the request's search parameter and cuts it by max and page.
func search[T any](c *call, spec *searchSpec[T], list []T) ([]T, *refusal) {
	limit := c.number("max")
	text := c.params.Get("search")
	var object *searchObject
	if len(c.segments) == 1 { // collections below an object are not searched
		object = searchObjects[searchCollections[c.segments[0]]]
	}
	if object == nil || text == "" {
		if limit >= 0 && limit < len(list) {
			list = list[:limit]
		}
		return list, nil
	}
	parts, err := parseSearch(text, object)
	if err != nil {
		return nil, nil
	}
	q := &searchQuery[T]{c: c, spec: spec, object: object}
	match, refs, r := q.compile(parts)
	if r != nil {
		return nil, r
	}
	var found []T
	for _, v := range list {
		if match == nil || q.hit(v, refs, match) {
			found = append(found, v)
		}
	}
	q.sort(found)
	if limit < 0 {
		if q.page > 1 {
			return nil, nil // pages of no limit: what follows the first is empty
		}
		return found, nil
	}
	from := min(max(q.page-1, 0)*limit, len(found))
	return found[from:min(from+limit, len(found))], nil
}

type searchQuery[T any] struct {
	c      *call
	spec   *searchSpec[T]
	object *searchObject
	sortBy string
	desc   bool
	page   int
}

// compile makes a matcher of an expression, nil where all match, and the objects that it refers to
// (ovirt-engine SyntaxChecker.generateSqlFromSyntaxContainer).
func (q *searchQuery[T]) compile(parts []searchPart) (matcher[T], []string, *refusal) {
	type term struct {
		op    searchToken
		match matcher[T]
	}
	var terms []term
	var refs []string
	for i, p := range parts {
		switch p.token {
		case searchAnd, searchOr:
			terms = append(terms, term{op: p.token})
		case searchSortColumn:
			q.sortBy = p.text
		case searchSortDirection:
			q.desc = p.text == "desc"
		case searchPageNumber:
			if n, err := strconv.Atoi(p.text); err == nil {
				q.page = n
			}
		case searchValue:
			m, r := q.condition(parts[:i+1], &refs)
			if r != nil {
				return nil, nil, r
			}
			terms = append(terms, term{op: searchValue, match: m})
		}
	}
	for _, op := range []searchToken{searchAnd, searchOr} {
		for i := 1; i+1 < len(terms); {
			if terms[i].op != op {
				i++
				continue
			}
			a, b := terms[i-1].match, terms[i+1].match
			both := func(v T, joined []row) bool { return a(v, joined) && b(v, joined) }
			if op == searchOr {
				both = func(v T, joined []row) bool { return a(v, joined) || b(v, joined) }
			}
			terms = slices.Replace(terms, i-1, i+2, term{op: searchValue, match: both})
		}
	}
	if len(terms) == 0 {
		return nil, refs, nil
	}
	return func(v T, joined []row) bool {
		for _, t := range terms {
			if !t.match(v, joined) {
				return false
			}
		}
		return true
	}, refs, nil
}

// condition makes a matcher of the condition that ends with the last of the parts.
func (q *searchQuery[T]) condition(parts []searchPart, refs *[]string) (matcher[T], *refusal) {
	value, parts := parts[len(parts)-1].text, parts[:len(parts)-1]
	ref, column, relation := "", "", "="
	if last := len(parts) - 1; parts[last].token == searchRelation {
		relation = parts[last].text
		switch parts[last-1].token {
		case searchRef:
			ref = parts[last-1].text
		case searchColumn:
			column = parts[last-1].text
			if parts[last-2].token == searchDot {
				ref = parts[last-3].text
			}
		}
	}
	if ref != "" && ref == q.object.noSQL {
		return nil, badSQL("missing FROM-clause entry for table %q", "vds_with_tags")
	}
	of, at := q.object, -1
	if ref != "" {
		of = searchObjects[q.object.referred(ref)]
		if at = slices.Index(*refs, of.name); at < 0 {
			at = len(*refs)
			*refs = append(*refs, of.name)
		}
	}
	if column == "" {
		return q.freeText(of, at, relation, value)
	}
	if i := strings.LastIndexByte(value, '@'); i >= 0 && of.name == "user" && column == "usrname" { // VdcUserConditionFieldAutoCompleter.java
		login, r := q.compare(of, at, "login", relation, value[:i])
		if r != nil {
			return nil, r
		}
		directory, r := q.compare(of, at, "directory", relation, value[i+1:])
		if r != nil {
			return nil, r
		}
		return func(v T, joined []row) bool { return login(v, joined) && directory(v, joined) }, nil
	}
	return q.compare(of, at, column, relation, value)
}

// compare makes a matcher of column RELATION value on the searched object (at is -1) or on a joined row.
func (q *searchQuery[T]) compare(of *searchObject, at int, column, relation, value string) (matcher[T], *refusal) {
	test, null, r := of.columns[column].test(q.c, relation, value)
	if r != nil {
		return nil, r
	}
	e := q.c.engine
	if at >= 0 {
		return func(_ T, joined []row) bool { return some(joined[at](column), test, null) }, nil
	}
	f := q.spec.fields[column]
	if f.str != nil {
		return func(v T, _ []row) bool { return test(f.str(v)) }, nil
	}
	return func(v T, _ []row) bool { return some(f.of(e, v), test, null) }, nil
}

// some applies a test to the values of a column, of which one must pass; null is what comes of no value.
func some(values []string, test func(string) bool, null bool) bool {
	if len(values) == 0 {
		return null
	}
	return slices.ContainsFunc(values, test)
}

// freeText looks for a part of the texts of all columns that hold text. Not to be in one of them is enough for !=.
func (q *searchQuery[T]) freeText(of *searchObject, at int, relation, value string) (matcher[T], *refusal) {
	var columns []string
	for _, name := range of.order {
		if k := of.columns[name]; !k.unread && (k.kind == columnText || k.kind == columnNullable || k.kind == columnList) {
			columns = append(columns, name)
		}
	}
	if len(columns) == 0 {
		return nil, badSQL("syntax error at or near %q", ")")
	}
	like := pattern("*"+value+"*", !q.c.flagParam("case_sensitive"))
	test := func(s string) bool { return like(s) == (relation == "=") }
	if value == "" {
		empty := pattern("", true)
		test = func(s string) bool { return empty(s) == (relation == "=") }
	}
	e := q.c.engine
	return func(v T, joined []row) bool {
		for _, name := range columns {
			var values []string
			if at >= 0 {
				values = joined[at](name)
			} else {
				values = q.spec.fields[name].of(e, v)
			}
			if slices.ContainsFunc(values, test) {
				return true
			}
		}
		return false
	}, nil
}

// hit reports whether an object matches with some choice of the rows that it refers to.
func (q *searchQuery[T]) hit(v T, refs []string, match matcher[T]) bool {
	if len(refs) == 0 {
		return match(v, nil)
	}
	joined := make([]row, len(refs))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(refs) {
			return match(v, joined)
		}
		rows := joinedRows(q.c.engine, v, refs[i])
		if len(rows) == 0 {
			rows = []row{nothing}
		}
		for _, r := range rows {
			joined[i] = r
			if try(i + 1) {
				return true
			}
		}
		return false
	}
	return try(0)
}

// sort orders what was found; objects without a value come first, and last where the order is turned around.
func (q *searchQuery[T]) sort(found []T) {
	if q.sortBy == "" {
		return
	}
	f, k, e := q.spec.fields[q.sortBy], q.object.columns[q.sortBy], q.c.engine
	slices.SortStableFunc(found, func(a, b T) int {
		x, y := f.of(e, a), f.of(e, b)
		n := 0
		switch {
		case len(x) == 0 || len(y) == 0:
			n = len(x) - len(y)
		default:
			n = k.compare(x[0], y[0])
		}
		if q.desc {
			return -n
		}
		return n
	})
}

// badSQL is a query that the database refuses.
func badSQL(format string, args ...any) *refusal {
	return bad("PreparedStatementCallback; bad SQL grammar; nested exception is org.postgresql.util.PSQLException: ERROR: "+format, args...)
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
