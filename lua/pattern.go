package lua

import (
	"context"
	"errors"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// maxPatternDepth bounds the items of a pattern that wait for the match of what follows them: captures, repetitions, options. Each takes
// Go stack, whose overflow cannot be caught. Lua 5.1 has no such bound, later ones have this one.
const maxPatternDepth = 200

// What a capture has for a length while it is open, and what it has instead of one when it captures a position.
const (
	captureOpen     = -1
	capturePosition = -2
)

type capture struct{ start, length int }

// matcher matches a text with a pattern as Lua 5.1 does, and ends with the context of its thread. gopher-lua's own matcher does
// not: ("a"):rep(1500):find(".-.-b") keeps it busy for 11 s, deaf to Ctrl-C, while no other task gets its turn.
type matcher struct {
	L             *glua.LState
	text, pattern string
	steps         int
	depth         int
	captures      []capture
}

func (m *matcher) step() {
	if m.steps++; m.steps%lookEach != 0 {
		return
	}
	if metered, is := m.L.Context().(*meter); is {
		metered.rt.spend(m.L, lookEach, 0)
	}
	if err := m.L.Context().Err(); err != nil {
		m.L.RaiseError("%v", err)
	}
}

// first finds the first match at or behind start; it gives -1 when there is none.
func (m *matcher) first(start int) (from, to int) {
	pattern, anchored := 0, strings.HasPrefix(m.pattern, "^")
	if anchored {
		pattern = 1
	}
	for from = start; from <= len(m.text); from++ {
		if to = m.whole(from, pattern); to >= 0 {
			return from, to
		}
		if anchored {
			break
		}
	}
	return -1, -1
}

// whole matches the pattern from p on at s, with no captures yet.
func (m *matcher) whole(s, p int) int {
	m.captures = m.captures[:0]
	return m.match(s, p)
}

// match matches the pattern from p on at s and returns where the match ends, -1 when there is none.
func (m *matcher) match(s, p int) int {
	if m.depth++; m.depth > maxPatternDepth {
		m.L.RaiseError("pattern too complex: more than %d captures and repetitions", maxPatternDepth)
	}
	end := m.items(s, p)
	m.depth--
	return end
}

func (m *matcher) items(s, p int) int {
	for p < len(m.pattern) {
		m.step()
		switch next := m.at(p + 1); m.pattern[p] {
		case '(':
			if next == ')' {
				return m.open(s, p+2, capturePosition)
			}
			return m.open(s, p+1, captureOpen)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pattern) {
				if s < len(m.text) {
					return -1
				}
				return s
			}
		case '%':
			switch {
			case next == 'b':
				if s = m.balanced(s, p+2); s < 0 {
					return -1
				}
				p += 4
				continue
			case next == 'f':
				if p = m.frontier(s, p+2); p < 0 {
					return -1
				}
				continue
			case isDigit(next):
				if s = m.again(s, next); s < 0 {
					return -1
				}
				p += 2
				continue
			}
		}
		end := m.itemEnd(p)
		switch m.at(end) {
		case '?':
			if m.single(s, p, end) {
				if to := m.match(s+1, end+1); to >= 0 {
					return to
				}
			}
			p = end + 1
		case '*':
			return m.longest(s, s, p, end)
		case '+':
			return m.longest(s, s+1, p, end)
		case '-':
			for {
				if to := m.match(s, end+1); to >= 0 {
					return to
				}
				if !m.single(s, p, end) {
					return -1
				}
				s++
			}
		default:
			if !m.single(s, p, end) {
				return -1
			}
			s, p = s+1, end
		}
	}
	return s
}

// at is a character of the pattern, 0 behind its end.
func (m *matcher) at(p int) byte {
	if p < len(m.pattern) {
		return m.pattern[p]
	}
	return 0
}

// longest repeats the item as often as it can, then goes back down to least until the rest matches too.
func (m *matcher) longest(s, least, p, end int) int {
	to := s
	for m.single(to, p, end) {
		to++
	}
	for ; to >= least; to-- {
		if found := m.match(to, end+1); found >= 0 {
			return found
		}
	}
	return -1
}

func (m *matcher) open(s, p, length int) int {
	if len(m.captures) == 32 {
		m.L.RaiseError("too many captures")
	}
	m.captures = append(m.captures, capture{s, length})
	to := m.match(s, p)
	if to < 0 {
		m.captures = m.captures[:len(m.captures)-1]
	}
	return to
}

func (m *matcher) close(s, p int) int {
	i := len(m.captures) - 1
	for i >= 0 && m.captures[i].length != captureOpen {
		i--
	}
	if i < 0 {
		m.L.RaiseError("invalid pattern capture")
	}
	m.captures[i].length = s - m.captures[i].start
	to := m.match(s, p)
	if to < 0 {
		m.captures[i].length = captureOpen
	}
	return to
}

func (m *matcher) balanced(s, p int) int {
	if p+1 >= len(m.pattern) {
		m.L.RaiseError("unbalanced pattern")
	}
	if s >= len(m.text) || m.text[s] != m.pattern[p] {
		return -1
	}
	for depth := 1; ; {
		m.step()
		if s++; s == len(m.text) {
			return -1
		}
		switch m.text[s] {
		case m.pattern[p+1]:
			if depth--; depth == 0 {
				return s + 1
			}
		case m.pattern[p]:
			depth++
		}
	}
}

// frontier matches the empty text between a character outside of the set at p and one inside; it returns the end of the set.
func (m *matcher) frontier(s, p int) int {
	if m.at(p) != '[' {
		m.L.RaiseError("missing '[' after '%%f' in pattern")
	}
	end := m.itemEnd(p)
	before, after := byte(0), byte(0)
	if s > 0 {
		before = m.text[s-1]
	}
	if s < len(m.text) {
		after = m.text[s]
	}
	if m.inSet(before, p, end) || !m.inSet(after, p, end) {
		return -1
	}
	return end
}

// again matches what a capture matched.
func (m *matcher) again(s int, digit byte) int {
	i := int(digit) - '1'
	if i < 0 || i >= len(m.captures) || m.captures[i].length == captureOpen {
		m.L.RaiseError("invalid capture index")
	}
	c := m.captures[i]
	if c.length == capturePosition || !strings.HasPrefix(m.text[s:], m.text[c.start:c.start+c.length]) {
		return -1
	}
	return s + c.length
}

// itemEnd is where the single item at p ends: a character, a class or a set.
func (m *matcher) itemEnd(p int) int {
	switch m.pattern[p] {
	case '%':
		if p+1 == len(m.pattern) {
			m.L.RaiseError("malformed pattern (ends with '%%')")
		}
		return p + 2
	case '[':
		if p++; m.at(p) == '^' {
			p++
		}
		for first := p; p < len(m.pattern); p++ {
			switch {
			case m.pattern[p] == ']' && p > first:
				return p + 1
			case m.pattern[p] == '%':
				p++
			}
		}
		m.L.RaiseError("malformed pattern (missing ']')")
	}
	return p + 1
}

// single reports whether the item from p to end matches the character at s.
func (m *matcher) single(s, p, end int) bool {
	m.step()
	if s >= len(m.text) {
		return false
	}
	switch m.pattern[p] {
	case '.':
		return true
	case '%':
		return inClass(m.text[s], m.pattern[p+1])
	case '[':
		return m.inSet(m.text[s], p, end)
	}
	return m.text[s] == m.pattern[p]
}

// inSet reports whether a character is in the set from p to end, its brackets included.
func (m *matcher) inSet(c byte, p, end int) bool {
	in := true
	if p++; m.pattern[p] == '^' {
		p, in = p+1, false
	}
	for ; p < end-1; p++ {
		switch {
		case m.pattern[p] == '%':
			p++
			if inClass(c, m.pattern[p]) {
				return in
			}
		case p+3 < end && m.pattern[p+1] == '-':
			if m.pattern[p] <= c && c <= m.pattern[p+2] {
				return in
			}
			p += 2
		case m.pattern[p] == c:
			return in
		}
	}
	return !in
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// inClass reports whether a character is of a class such as %a; the upper case of a class is its opposite.
func inClass(c, class byte) bool {
	lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', isDigit(c)
	var is bool
	switch class | 0x20 {
	case 'a':
		is = lower || upper
	case 'c':
		is = c < ' ' || c == 0x7f
	case 'd':
		is = digit
	case 'l':
		is = lower
	case 'p':
		is = c > ' ' && c < 0x7f && !lower && !upper && !digit
	case 's':
		is = c == ' ' || c >= '\t' && c <= '\r'
	case 'u':
		is = upper
	case 'w':
		is = lower || upper || digit
	case 'x':
		is = digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	case 'z':
		is = c == 0
	default:
		return c == class
	}
	return is == (class >= 'a')
}

// captured is capture i of a match, from 0; the whole match where the pattern has none.
func (m *matcher) captured(i, from, to int) glua.LValue {
	if i >= len(m.captures) {
		if i > 0 {
			m.L.RaiseError("invalid capture index")
		}
		return glua.LString(m.text[from:to])
	}
	switch c := m.captures[i]; c.length {
	case captureOpen:
		m.L.RaiseError("unfinished capture")
		return nil
	case capturePosition:
		return glua.LNumber(c.start + 1)
	default:
		return glua.LString(m.text[c.start : c.start+c.length])
	}
}

// push pushes all captures of a match, the whole match where the pattern has none.
func (m *matcher) push(from, to int) int {
	count := max(len(m.captures), 1)
	for i := range count {
		m.L.Push(m.captured(i, from, to))
	}
	return count
}

func stringFind(L *glua.LState) int  { return search(L, true) }
func stringMatch(L *glua.LState) int { return search(L, false) }

func search(L *glua.LState, find bool) int {
	m := &matcher{L: L, text: L.CheckString(1), pattern: L.CheckString(2)}
	start := L.OptInt(3, 1)
	if start < 0 {
		start += len(m.text) + 1
	}
	start = min(max(start, 1)-1, len(m.text))
	if find && (glua.LVAsBool(L.Get(4)) || !strings.ContainsAny(m.pattern, "^$*+?.([%-")) {
		if i := strings.Index(m.text[start:], m.pattern); i >= 0 {
			L.Push(glua.LNumber(start + i + 1))
			L.Push(glua.LNumber(start + i + len(m.pattern)))
			return 2
		}
		L.Push(glua.LNil)
		return 1
	}
	from, to := m.first(start)
	switch {
	case from < 0:
		L.Push(glua.LNil)
		return 1
	case !find:
		return m.push(from, to)
	}
	L.Push(glua.LNumber(from + 1))
	L.Push(glua.LNumber(to))
	if len(m.captures) == 0 {
		return 2
	}
	return 2 + m.push(from, to)
}

// stringGmatch takes a ^ as any other character, as Lua 5.1 does.
func stringGmatch(L *glua.LState) int {
	text, pattern := L.CheckString(1), L.CheckString(2)
	next := 0
	L.Push(L.NewFunction(func(L *glua.LState) int {
		m := &matcher{L: L, text: text, pattern: pattern}
		for from := next; from <= len(text); from++ {
			if to := m.whole(from, 0); to >= 0 {
				if next = to; to == from {
					next++
				}
				return m.push(from, to)
			}
		}
		next = len(text) + 1
		return 0
	}))
	return 1
}

func stringGsub(L *glua.LState) int {
	m := &matcher{L: L, text: L.CheckString(1), pattern: L.CheckString(2)}
	by, most := L.CheckAny(3), L.OptInt(4, len(m.text)+1)
	switch by.(type) {
	case glua.LString, glua.LNumber, *glua.LTable, *glua.LFunction:
	default:
		L.ArgError(3, "string, table or function expected, got "+by.Type().String())
	}
	var out strings.Builder
	at, count := 0, 0
	for count < most && at <= len(m.text) {
		from, to := m.first(at)
		if from < 0 {
			break
		}
		count++
		out.WriteString(m.text[at:from])
		out.WriteString(m.replacement(by, from, to))
		if metered, is := L.Context().(*meter); is {
			metered.rt.notTooLong(L, out.Len())
		}
		if at = to; from == to { // behind an empty match comes the next character
			out.WriteString(m.text[at:min(at+1, len(m.text))])
			at++
		}
		if strings.HasPrefix(m.pattern, "^") {
			break
		}
	}
	out.WriteString(m.text[min(at, len(m.text)):])
	L.Push(glua.LString(out.String()))
	L.Push(glua.LNumber(count))
	return 2
}

func (m *matcher) replacement(by glua.LValue, from, to int) string {
	var value glua.LValue
	switch by := by.(type) {
	case *glua.LTable:
		value = m.L.GetTable(by, m.captured(0, from, to))
	case *glua.LFunction:
		m.L.Push(by)
		m.L.Call(m.push(from, to), 1)
		value = m.L.Get(-1)
		m.L.Pop(1)
	default:
		return m.expand(by.String(), from, to)
	}
	switch value.(type) {
	case glua.LString, glua.LNumber:
		return value.String()
	}
	if glua.LVAsBool(value) {
		m.L.RaiseError("invalid replacement value (a %s)", value.Type().String())
	}
	return m.text[from:to]
}

// expand puts captures in the place of %1 to %9, and the whole match in that of %0.
func (m *matcher) expand(by string, from, to int) string {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(by, "%")
		b.WriteString(plain)
		if !found || rest == "" {
			return b.String()
		}
		switch {
		case rest[0] == '0':
			b.WriteString(m.text[from:to])
		case isDigit(rest[0]):
			b.WriteString(m.captured(int(rest[0])-'1', from, to).String())
		default:
			b.WriteByte(rest[0])
		}
		by = rest[1:]
	}
}

// Matches tells whether a text matches a pattern of Lua, as string.find does. It ends with ctx.
func Matches(ctx context.Context, text, pattern string) (found bool, err error) {
	L := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer L.Close()
	L.SetContext(ctx)
	find := L.NewFunction(stringFind)
	if err := L.CallByParam(glua.P{Fn: find, NRet: 1, Protect: true}, glua.LString(text), glua.LString(pattern)); err != nil {
		return false, errors.New(strings.TrimSpace(strings.SplitN(err.Error(), "\n", 2)[0]))
	}
	return L.Get(-1) != glua.LNil, nil
}
