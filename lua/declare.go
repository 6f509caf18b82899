// Package lua is the Lua runtime of plans: a sandboxed gopher-lua whose tasks are the engine's tasks, with exact positions,
// declared primitives and diagnostics. It alone imports gopher-lua.
//
// The rules of the house, each answering a measured fact about gopher-lua: tasks take turns by the engine's baton; a
// primitive runs without it and sees only Go values; pcall runs its function in a thread of its own (gopher-lua #448);
// every file is compiled with one token a line, so that a "line" is a token and places are exact to the column.
package lua

import "context"

// Effect says what a primitive does to the world.
type Effect int

// The effects.
const (
	Pure     Effect = iota // computes, or talks to the run
	Observes               // reads the world; never journaled as done
	Changes                // changes an engine, ensure-style
	Durable                // a step that the run records and does not repeat
)

// String names the effect.
func (e Effect) String() string { return [...]string{"pure", "observes", "changes", "durable"}[e] }

// Type is the type of a parameter.
type Type struct {
	kind   kind
	elem   *Type
	fields []Param
	class  *Class
	alts   []Type
	values []string
	hint   string // of a finding about a value that does not fit; "" lets the kind say it
	called string // for editors, see Called
}

type kind int

const (
	kindAny kind = iota
	kindString
	kindNumber
	kindInteger
	kindBool
	kindDuration
	kindSize
	kindFunction
	kindSecret
	kindList
	kindMap
	kindTable
	kindEnum
	kindObject
	kindOneOf
)

// The simple types. A duration is a text with a unit such as "90s" or "1h30m", or a number of seconds; a size is a text such as "10GiB".
var (
	Any          = Type{kind: kindAny}
	String       = Type{kind: kindString}
	Number       = Type{kind: kindNumber}
	Integer      = Type{kind: kindInteger}
	Bool         = Type{kind: kindBool}
	Duration     = Type{kind: kindDuration}
	Size         = Type{kind: kindSize}
	FunctionType = Type{kind: kindFunction}
	SecretT      = Type{kind: kindSecret}
)

// WithHint is a type whose findings have a hint of its own, such as "write dr.boot.wait \"90s\"".
func WithHint(t Type, hint string) Type {
	t.hint = hint
	return t
}

// List is a table with the keys 1 to n.
func List(elem Type) Type { return Type{kind: kindList, elem: &elem} }

// Map is a table with any text keys and values of one type.
func Map(elem Type) Type { return Type{kind: kindMap, elem: &elem} }

// Table is a table with exactly these keys.
func Table(fields ...Param) Type { return Type{kind: kindTable, fields: fields} }

// Enum is one of these texts.
func Enum(values ...string) Type { return Type{kind: kindEnum, values: values} }

// OneOf is a value of one of these types; the first that fits is taken.
func OneOf(types ...Type) Type { return Type{kind: kindOneOf, alts: types} }

// ObjectType is an object of that class.
func ObjectType(class *Class) Type { return Type{kind: kindObject, class: class} }

// Param declares a parameter, or a key of a table. Without Default and Optional it is required.
type Param struct {
	Name       string
	Type       Type
	Doc        string
	Default    any // as Lua would write it: "10m", 8.0, false
	Optional   bool
	Positional bool // may be given by its place
	Rest       bool // the last positional one: a single table argument is its list, and may hold the named arguments too
}

// Func declares a primitive. Run is called without the baton and sees only Go values: nil, bool, float64, string,
// map[string]any, []any, *Object, *Function, *Secret. Its result is converted back.
type Func struct {
	Name    string
	Doc     string
	Effect  Effect
	Params  []Param
	Returns string // a type as LuaCATS writes it, for people and editors: "vm[]", "string?"
	// Generic are the types that Returns and the parameters leave open: "T" in ctx:step, which returns what its function does.
	Generic []string
	// Lenient calls Run although arguments are wrong, with those that are right: it has to report Call.Findings itself, beside its
	// own. dr.plan does, so that a plan shows all its findings at once.
	Lenient bool
	// CopyHint makes a later change in the table of its arguments a finding with this hint: the function has copied it. "" lets it pass.
	CopyHint string
	Run      func(*Call) (any, error)

	// native functions of this package keep the baton and see Lua values.
	native nativeFunc
}

// Field declares a readable field of an object. Get must not block.
type Field struct {
	Name string
	Doc  string
	Type string // as LuaCATS writes it, for people and editors
	Get  func(self any) any
}

// Class declares what Lua sees of a Go value.
type Class struct {
	Name    string
	Doc     string
	Fields  []Field
	Methods []Func
	Set     func(c *Call, key string, v any) error // assignment; nil means that objects are frozen
	// CopyHint makes a change in a table that a file has read from a field a finding with this hint: fields give copies. "" lets it pass.
	CopyHint string
	Index    func(self any, key string) (value any, ok bool) // fields that depend on the object
	Entries  string                                          // their type
	String   func(self any) string
}

// Module declares what a plan can require.
type Module struct {
	Name   string
	Doc    string
	Funcs  []Func
	Subs   []Module          // fields that hold functions, by the last part of their name: dr.boot
	Fields map[string]any    // other fields
	Lua    map[string]string // field → built-in Lua module, loaded when it is first read: steps → dr.steps
	// Records are the tables that its functions return.
	Records []Record
}

// Object is a Go value that Lua sees through its class.
type Object struct {
	class *Class
	self  any
}

// NewObject makes an object of a class.
func NewObject(class *Class, self any) *Object { return &Object{class: class, self: self} }

// Self returns the Go value.
func (o *Object) Self() any { return o.self }

// Class returns the class.
func (o *Object) Class() *Class { return o.class }

// Secret is a value that plans can pass on but never see: it cannot become a text, a step's result or a journaled argument.
type Secret struct {
	name   string
	reveal func(ctx context.Context) (string, error)
}

// NewSecret makes a secret; reveal finds its value when somebody entitled asks.
func NewSecret(name string, reveal func(ctx context.Context) (string, error)) *Secret {
	return &Secret{name: name, reveal: reveal}
}

// Name is the name by which plans know the secret.
func (s *Secret) Name() string { return s.name }

// Reveal returns the value.
func (s *Secret) Reveal(ctx context.Context) (string, error) { return s.reveal(ctx) }

// String hides the value.
func (s *Secret) String() string { return "<secret " + s.name + ">" }
