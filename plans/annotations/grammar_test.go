package annotations

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// definitions are what definition files declare, as lua-language-server reads them.
type definitions struct {
	classes   map[string]map[string]bool // fields and methods by class
	overloads map[string]bool            // classes whose objects can be called
	aliases   map[string]bool
	functions map[string]function // "site:vm", "exec.run": by the class or module that the local stands for
	used      map[string][]string // places by name of a type
}

// function is a declared function.
type function struct {
	params   []string // names
	types    map[string]string
	returns  string
	overload string
}

// primitiveTypes are the names that the language server brings along.
var primitiveTypes = []string{"any", "nil", "boolean", "string", "number", "integer", "table", "function", "unknown"}

// expression reads a type as the annotation grammar has it, and tells each name in it. It returns what is behind the type.
type expression struct {
	text string
	name func(string)
}

var (
	typeName    = regexp.MustCompile(`^[A-Za-z_][\w.]*`)
	typeLiteral = regexp.MustCompile(`^"(?:[^"\\]|\\.)*"`)
)

func (e *expression) space() { e.text = strings.TrimLeft(e.text, " ") }

func (e *expression) take(token string) bool {
	e.space()
	rest, found := strings.CutPrefix(e.text, token)
	if found {
		e.text = rest
	}
	return found
}

func (e *expression) need(token string) {
	if !e.take(token) {
		panic(fmt.Sprintf("%q is expected before %q", token, e.text))
	}
}

// union = one { "|" one }
func (e *expression) union() {
	e.one()
	for e.take("|") {
		e.one()
	}
}

// one = ( "fun" "(" … ")" [ ":" union ] | "(" union ")" | literal | name [ "<" union { "," union } ">" ] ) { "[]" } [ "?" ]
func (e *expression) one() {
	e.space()
	switch {
	case e.take("fun("):
		e.signature()
	case e.take("("):
		e.union()
		e.need(")")
	case typeLiteral.MatchString(e.text):
		e.text = e.text[len(typeLiteral.FindString(e.text)):]
	case typeName.MatchString(e.text):
		name := typeName.FindString(e.text)
		e.text = e.text[len(name):]
		e.name(name)
		if e.take("<") {
			e.union()
			for e.take(",") {
				e.union()
			}
			e.need(">")
		}
	default:
		panic(fmt.Sprintf("no type: %q", e.text))
	}
	for e.take("[]") {
	}
	e.take("?")
}

// signature is what stands behind "fun(".
func (e *expression) signature() {
	for !e.take(")") {
		e.space()
		if !e.take("...") {
			name := typeName.FindString(e.text)
			if name == "" {
				panic(fmt.Sprintf("no parameter: %q", e.text))
			}
			e.text = e.text[len(name):]
			e.take("?")
		}
		if e.take(":") {
			e.union()
		}
		if !e.take(",") {
			e.need(")")
			break
		}
	}
	if e.take(":") {
		e.union()
		for e.take(", ...") || e.take(",") {
			if strings.TrimSpace(e.text) != "" && typeName.MatchString(strings.TrimSpace(e.text)) {
				e.union()
			}
		}
	}
}

// readDefinitions reads files line by line. Whatever is not of the grammar is a failure of the test.
func readDefinitions(t *testing.T, files []File) *definitions {
	t.Helper()
	d := &definitions{classes: map[string]map[string]bool{}, overloads: map[string]bool{}, aliases: map[string]bool{}, functions: map[string]function{}, used: map[string][]string{}}
	for _, file := range files {
		d.read(t, file)
	}
	return d
}

var (
	classLine    = regexp.MustCompile(`^---@class (?:\(exact\) )?([\w.]+)(?:: ([\w.]+))?$`)
	fieldStart   = regexp.MustCompile(`^---@field (?:(\w+)\??|\[string\]) `)
	paramStart   = regexp.MustCompile(`^---@param (\w+|\.\.\.)\?? `)
	returnStart  = regexp.MustCompile(`^---@return `)
	functionLine = regexp.MustCompile(`^function (?:([\w.]+)([:.]))?(\w+)\(([^)]*)\) end$`)
	localLine    = regexp.MustCompile(`^(?:local )?(\w+) = \{\}$`)
	otherLine    = regexp.MustCompile(`^(?:---@meta [\w.]+|-- .*|---[^@|].*|---|return \w+|[\w.]+ = (?:require "[\w.]+"|\w+|nil|"[^"]*"|)|)$`)
)

func (d *definitions) read(t *testing.T, file File) {
	t.Helper()
	var class string // of the local that comes next
	var generics []string
	locals := map[string]string{}
	var fn function
	reset := func() { fn, generics = function{types: map[string]string{}}, nil }
	reset()
	for i, line := range strings.Split(file.Text, "\n") {
		place := fmt.Sprintf("%s:%d", file.Name, i+1)
		read := func(text string) string {
			before, _, _ := strings.Cut(text, " # ")
			e := &expression{text: text, name: func(name string) {
				if !slices.Contains(generics, name) {
					d.used[name] = append(d.used[name], place)
				}
			}}
			e.union()
			if rest := strings.TrimSpace(e.text); rest != "" && !strings.HasPrefix(rest, "#") && !strings.HasPrefix(line, "---@return ") {
				panic(fmt.Sprintf("behind the type stands %q", rest))
			}
			return strings.TrimSpace(before)
		}
		func() {
			defer func() {
				if wrong := recover(); wrong != nil {
					t.Errorf("%s: %v: %s", place, wrong, line)
				}
			}()
			switch {
			case classLine.MatchString(line):
				match := classLine.FindStringSubmatch(line)
				class = match[1]
				if match[2] != "" {
					read(match[2])
				}
				if d.classes[class] != nil {
					t.Errorf("%s: %s is declared twice", place, class)
				}
				d.classes[class] = map[string]bool{}
			case fieldStart.MatchString(line):
				match := fieldStart.FindStringSubmatch(line)
				read(line[len(match[0]):])
				d.classes[class][match[1]] = true
			case paramStart.MatchString(line):
				match := paramStart.FindStringSubmatch(line)
				fn.params = append(fn.params, match[1])
				fn.types[match[1]] = read(line[len(match[0]):])
			case returnStart.MatchString(line):
				fn.returns = read(line[len("---@return "):])
			case strings.HasPrefix(line, "---@type "):
				read(line[len("---@type "):])
			case strings.HasPrefix(line, "---@generic "):
				for one := range strings.SplitSeq(line[len("---@generic "):], ", ") {
					name, _, _ := strings.Cut(one, ":")
					generics = append(generics, name)
				}
			case strings.HasPrefix(line, "---@overload "):
				fn.overload = read(line[len("---@overload "):])
				d.overloads[class] = true
			case strings.HasPrefix(line, "---@alias "):
				name, expression, hasType := strings.Cut(line[len("---@alias "):], " ")
				d.aliases[name] = true
				if hasType {
					read(expression)
				}
			case strings.HasPrefix(line, "---| "):
				read(line[len("---| "):])
			case localLine.MatchString(line):
				locals[localLine.FindStringSubmatch(line)[1]] = class
			case functionLine.MatchString(line):
				match := functionLine.FindStringSubmatch(line)
				if given := strings.Join(fn.params, ", "); given != match[4] {
					t.Errorf("%s: the parameters are (%s), the annotations (%s)", place, match[4], given)
				}
				owner := locals[match[1]]
				if owner == "" && match[1] != "" {
					t.Errorf("%s: no table %s", place, match[1])
				}
				d.functions[owner+match[2]+match[3]] = fn
				if owner != "" {
					d.classes[owner][match[3]] = true
				}
				reset()
			case otherLine.MatchString(line):
			default:
				t.Errorf("%s: no line of a definition file: %s", place, line)
			}
		}()
	}
}

// TestGrammar reads all definition files by the grammar of annotations, and looks for the declaration of each name in them.
func TestGrammar(t *testing.T) {
	t.Parallel()
	for name, names := range map[string]Names{"without names": nil, "with names": someNames()} {
		d := readDefinitions(t, Files(names))
		if len(d.classes) < 150 || len(d.functions) < 180 || len(d.used) < 100 {
			t.Fatalf("%s: %d classes, %d functions and %d names of types only", name, len(d.classes), len(d.functions), len(d.used))
		}
		for used, places := range d.used {
			if d.classes[used] == nil && !d.aliases[used] && !slices.Contains(primitiveTypes, used) {
				t.Errorf("%s: the type %s is not declared: %s", name, used, strings.Join(places, ", "))
			}
		}
	}
}

// someNames are names as engines can have them.
func someNames() Names {
	return Names{
		"vm_name":           {{`db1`, ""}, {`a "quoted" one`, ""}, {`back\slash`, "with a # in it"}},
		"secondary_cluster": {{"Recovery", "data center Default"}},
	}
}
