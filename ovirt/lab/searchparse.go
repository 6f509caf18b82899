package lab

import (
	"errors"
	"strconv"
	"strings"
)

// The grammar of searches is what the engine's parser makes of it (ovirt-engine SyntaxChecker.java): it reads character by
// character, takes a word for what it is as soon as it is complete, and fails where no continuation is left. There are no
// parentheses and no negation. So template1 is no free text where template is a reference, name alone is not complete, and
// (status=up) is a word like any other.

var errSearch = errors.New("search expression does not parse")

type searchToken int

const (
	searchColon searchToken = iota // the beginning: the collection stands before it
	searchRef                      // a reference to another kind of object
	searchDot
	searchColumn
	searchRelation
	searchValue
	searchAnd
	searchOr
	searchSortBy
	searchSortColumn
	searchSortDirection
	searchPage
	searchPageNumber
)

type searchPart struct {
	token searchToken
	text  string // lower case, except for values
}

// searchParser holds what the parser knows between two characters.
type searchParser struct {
	object *searchObject
	text   string
	start  int // of the word being read
	parts  []searchPart
	valid  bool // whether the expression could end here
	free   map[string]bool
}

// parseSearch splits an expression on an object's collection into its parts.
func parseSearch(text string, object *searchObject) ([]searchPart, error) {
	p := &searchParser{object: object, text: text, parts: []searchPart{{token: searchColon}}, valid: true, free: map[string]bool{}}
	for i := 0; i < len(text); i++ {
		var err error
		if i, err = p.step(i); err != nil {
			return nil, err
		}
	}
	if !p.valid {
		return nil, errSearch
	}
	return p.parts, nil
}

func (p *searchParser) add(token searchToken, text string, end int) {
	p.parts = append(p.parts, searchPart{token, text})
	p.start = end + 1
}

// before is the part that stands so many steps before the last one, if it is of that kind.
func (p *searchParser) before(steps int, token searchToken) string {
	if at := len(p.parts) - 1 - steps; at >= 0 && p.parts[at].token == token {
		return p.parts[at].text
	}
	return ""
}

// referred is the object that a reference stands for, nil where there is none; the searched one where there is no reference.
func (p *searchParser) referred(ref string) *searchObject {
	if ref == "" {
		return p.object
	}
	return searchObjects[p.object.referred(ref)]
}

// step takes the character at i and returns where the reading goes on from.
func (p *searchParser) step(i int) (int, error) {
	b, state := p.text[i], p.parts[len(p.parts)-1].token
	if b == '\'' || b == ';' {
		return i, errSearch
	}
	if b == ' ' && state != searchRelation && state != searchColon && state != searchValue && state != searchOr && state != searchAnd {
		p.start++
		return i, nil
	}
	word := strings.ToLower(p.text[p.start : i+1])
	switch state {
	case searchRef:
		longer := ""
		if i+1 < len(p.text) {
			longer = p.text[p.start : i+2]
		}
		switch {
		case word == ".":
			p.add(searchDot, word, i)
		case relationEqual.has(longer):
		case relationEqual.has(word):
			p.add(searchRelation, word, i)
		case !relationEqual.begins(word):
			return i, errSearch
		}
	case searchDot:
		of := p.referred(p.before(1, searchRef))
		switch {
		case of == nil:
			return i, errSearch
		case of.has(word):
			p.add(searchColumn, word, i)
		case !of.begins(word):
			return i, errSearch
		}
	case searchColon, searchAnd, searchOr:
		return p.first(i, word, state)
	case searchValue:
		return p.next(i, strings.TrimFunc(word, isJavaSpace))
	case searchColumn:
		of := p.referred(p.before(2, searchRef))
		relation := of.columns[p.before(0, searchColumn)].relation
		if i+1 < len(p.text) && relation.has(p.text[p.start:i+2]) {
			return i, nil
		}
		switch {
		case relation.has(word):
			p.add(searchRelation, word, i)
		case !relation.begins(word):
			return i, errSearch
		}
		p.start, p.valid = i+1, false
	case searchRelation:
		done, err := p.value(i)
		if err != nil {
			return i, err
		}
		if ref := p.before(2, searchRef); done && ref != "" {
			return i, p.onlyOnce(p.object.referred(ref))
		}
	case searchSortBy:
		switch {
		case p.object.has(word):
			p.add(searchSortColumn, word, i)
			p.valid = true
		case !p.object.begins(word):
			return i, errSearch
		}
	case searchSortColumn:
		switch {
		case word == "asc" || word == "desc":
			p.add(searchSortDirection, word, i)
			p.valid = true
		case !strings.HasPrefix("asc", word) && !strings.HasPrefix("desc", word):
			return i, errSearch
		}
	case searchSortDirection:
		switch {
		case word == "page":
			p.add(searchPage, word, i)
			p.valid = true
		case !strings.HasPrefix("page", word):
			return i, errSearch
		}
	case searchPage:
		if _, err := strconv.Atoi(word); err != nil {
			return i, errSearch
		}
		// The engine takes the character behind the digits along, whatever it is.
		end := i
		for end < len(p.text)-1 && p.text[end] >= '0' && p.text[end] <= '9' {
			end++
		}
		p.add(searchPageNumber, p.text[i:end+1], end)
		p.valid = true
		return end + 1, nil
	case searchPageNumber:
		return i, errSearch // blanks were skipped above: nothing comes after the number
	}
	return i, nil
}

// first reads where a condition must begin: at the start, after and, after or. At the start a column's name counts only where a
// relation or a blank follows, so that names of objects may begin like it.
func (p *searchParser) first(i int, word string, state searchToken) (int, error) {
	keep := false
	switch {
	case p.object.has(word):
		if state == searchColon {
			if i+1 < len(p.text) && strings.IndexByte(" !=<>", p.text[i+1]) >= 0 {
				p.add(searchColumn, word, i)
			}
		} else {
			p.add(searchColumn, word, i)
		}
	case state == searchColon && word == "sortby":
		p.add(searchSortBy, word, i)
	case state == searchColon && word == "page":
		p.add(searchPage, word, i)
	case p.object.refs[word] != "":
		i = p.reference(i, word)
	default:
		done, err := p.value(i)
		if err != nil {
			return i, err
		}
		if state == searchColon {
			keep = true
			if done {
				p.free[p.object.name] = true
			}
		} else if done {
			if err := p.onlyOnce(p.object.name); err != nil {
				return i, err
			}
			p.valid, keep = true, true
		}
	}
	if !keep {
		p.valid = false
	}
	return i, nil
}

// next reads what may follow a condition. word has no blanks around it.
func (p *searchParser) next(i int, word string) (int, error) {
	if word == "" {
		return i, nil
	}
	keep := false
	switch {
	case p.object.has(word):
		p.add(searchColumn, word, i)
	case word == "sortby":
		p.add(searchSortBy, word, i)
	case word == "page":
		p.add(searchPage, word, i)
	case p.object.refs[word] != "":
		i = p.reference(i, word)
	case word == "and":
		p.add(searchAnd, word, i)
	case word == "or":
		p.add(searchOr, word, i)
	case p.object.begins(word) || strings.HasPrefix("sortby", word) || strings.HasPrefix("and", word) || strings.HasPrefix("or", word) || beginsObject(word):
	default:
		done, err := p.value(i)
		if err != nil {
			return i, err
		}
		if done {
			if err := p.onlyOnce(p.object.name); err != nil {
				return i, err
			}
			p.valid, keep = true, true
		}
	}
	if !keep {
		p.valid = false
	}
	return i, nil
}

// reference takes a reference; an s behind it belongs to it.
func (p *searchParser) reference(i int, word string) int {
	if i+1 < len(p.text) && (p.text[i+1] == 's' || p.text[i+1] == 'S') {
		i++
		word += "s"
	}
	p.add(searchRef, word, i)
	return i
}

// onlyOnce refuses a second free text on the same kind of object.
func (p *searchParser) onlyOnce(object string) error {
	if p.free[object] {
		return errSearch
	}
	p.free[object] = true
	return nil
}

// value reads a value, which ends with a blank, a closing quote or the text. done is true when it has ended at i.
func (p *searchParser) value(i int) (done bool, err error) {
	b, raw := p.text[i], p.text[p.start:i+1]
	quoted := strings.Contains(p.text[p.start:i], `"`)
	if b == '"' {
		if quoted = !quoted; quoted {
			if strings.TrimFunc(raw, isJavaSpace) != `"` {
				return false, errSearch
			}
		} else {
			raw, done = strings.Trim(raw, `"`), true
		}
	}
	if (b == ' ' || i+1 == len(p.text)) && !quoted && !done {
		if raw = strings.TrimFunc(raw, isJavaSpace); raw == "" || strings.ContainsAny(raw, " \t\r\n\v\f") {
			p.start = i + 1
		} else {
			done = true
		}
	}
	if !done {
		return false, nil
	}
	of := p.referred(p.before(3, searchRef))
	if of == nil {
		return false, errSearch
	}
	if column := p.before(1, searchColumn); column != "" && !of.columns[column].accepts(raw) {
		return false, errSearch
	}
	if strings.HasSuffix(raw, `\`) {
		return false, errSearch // SqlInjectionChecker.enforceEscapeCharacters
	}
	p.add(searchValue, raw, i)
	p.valid = true
	return true, nil
}

// isJavaSpace is what String.trim removes.
func isJavaSpace(r rune) bool { return r <= ' ' }
