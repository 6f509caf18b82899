package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/runner"
)

// usageError is a command line that cannot be understood: exit code 2.
type usageError struct {
	message string
	hint    string
	path    []string // of the command, for the hint
}

// usage makes a usageError.
func usage(format string, args ...any) *usageError {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// nearest hints by format at the known name that is most like a given one, where there is one.
func (e *usageError) nearest(name string, known []string, format string) *usageError {
	if nearest := lua.Nearest(name, known); nearest != "" {
		e.hint = strings.ReplaceAll(format, "NAME", nearest)
	}
	return e
}

func (e *usageError) hinted(format string, args ...any) *usageError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

func (e *usageError) of(path []string) *usageError {
	e.path = path
	return e
}

// Error is the message.
func (e *usageError) Error() string { return e.message }

func (e *usageError) result() *runner.Result {
	hint := e.hint
	if hint == "" {
		hint = strings.Join(append(slices.Clone(e.path), "--help"), " ")
		if len(e.path) == 0 {
			hint = "drrun --help"
		}
	}
	result := failure(runner.ExitInvalid, runner.StatusInvalid, "usage", e, hint)
	result.Action = actionOf(e.path)
	return result
}

// actionOf is the name of a command in the document: "lab status".
func actionOf(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return strings.Join(path[1:], " ")
}

// wantsJSON tells whether the output is to be one JSON document, whatever else is wrong with the arguments.
func wantsJSON(args []string) bool {
	for _, arg := range args {
		switch arg {
		case "--":
			return false
		case "--json", "-json", "--json=true", "-json=true":
			return true
		}
	}
	return false
}

// found is the command that a command line names, with its arguments in the order that urfave/cli needs.
type found struct {
	command *cli.Command // nil: drrun itself
	path    []string     // drrun, lab, status
	normal  []string     // path, flags as --name=value, then the other arguments
	help    bool
}

// resolve finds the command and puts its arguments in order: urfave/cli v2 reads no flag behind the first other argument, and people
// write them anywhere. Unknown commands and flags are found here, with the nearest name that exists.
func resolve(tree []*cli.Command, args []string) (*found, *usageError) {
	f := &found{path: []string{"drrun"}}
	level, rest := tree, args
	if len(rest) > 0 && rest[0] == "help" {
		f.help, rest = true, rest[1:]
	}
	if len(rest) == 1 && (rest[0] == "--version" || rest[0] == "-v") {
		rest = []string{"version"}
	}
	for level != nil {
		at := firstPlain(level, f.command, rest)
		if at < 0 {
			break
		}
		i := slices.IndexFunc(level, func(c *cli.Command) bool { return c.HasName(rest[at]) })
		if i < 0 {
			return nil, unknownCommand(level, f.path, rest[at])
		}
		f.command = level[i]
		f.path = append(f.path, f.command.Name)
		rest = slices.Delete(slices.Clone(rest), at, at+1)
		level = f.command.Subcommands
	}
	if f.command == nil {
		for _, arg := range rest {
			switch name, _, _ := flagOf(arg); {
			case isHelp(arg):
			case name != "" && name != "json":
				return nil, usage("drrun has no flag %s", arg).hinted("flags stand behind the command: drrun COMMAND %s", arg)
			default:
				return nil, usage("no command is given").hinted("drrun --help")
			}
		}
		f.help = true
		return f, nil
	}
	return f, f.arrange(rest)
}

// firstPlain finds the first argument that is neither a flag nor the value of one, -1 when there is none.
func firstPlain(level []*cli.Command, parent *cli.Command, args []string) int {
	below := slices.Clone(level)
	if parent != nil {
		below = append(below, parent)
	}
	for i := 0; i < len(args); i++ {
		switch name, _, hasValue := flagOf(args[i]); {
		case args[i] == "--":
			return -1
		case name == "":
			return i
		case !hasValue && slices.ContainsFunc(below, func(c *cli.Command) bool { return takesValue(c, name) }):
			i++
		}
	}
	return -1
}

func isHelp(arg string) bool { return slices.Contains([]string{"-h", "-help", "--help"}, arg) }

// flagOf takes an argument apart: --name=value, --name, -name. The name is "" for what is no flag.
func flagOf(arg string) (name, value string, hasValue bool) {
	if len(arg) < 2 || arg[0] != '-' {
		return "", "", false
	}
	name, value, hasValue = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
	return name, value, hasValue
}

func flagNamed(c *cli.Command, name string) cli.DocGenerationFlag {
	for _, flag := range c.Flags {
		if slices.Contains(flag.Names(), name) {
			return flag.(cli.DocGenerationFlag)
		}
	}
	return nil
}

func takesValue(c *cli.Command, name string) bool {
	flag := flagNamed(c, name)
	return flag != nil && flag.TakesValue()
}

// arrange writes the arguments of the command as urfave/cli reads them.
func (f *found) arrange(args []string) *usageError {
	var flags, plain []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			plain = append(plain, args[i+1:]...)
			break
		}
		name, value, hasValue := flagOf(arg)
		if name == "" {
			plain = append(plain, arg)
			continue
		}
		if isHelp(arg) {
			f.help = true
			continue
		}
		flag := flagNamed(f.command, name)
		if flag == nil {
			return f.unknownFlag(name, arg)
		}
		switch optional := isOptional(flag); {
		case hasValue || !flag.TakesValue():
		case optional && (i+1 == len(args) || args[i+1] == "--" || !mayBeValue(args[i+1])):
			hasValue = true
		default:
			if i+1 == len(args) {
				return usage("flag --%s needs a value", name).of(f.path)
			}
			i++
			value, hasValue = args[i], true
		}
		if hasValue {
			flags = append(flags, "--"+name+"="+value)
		} else {
			flags = append(flags, "--"+name)
		}
	}
	f.normal = slices.Concat(f.path, flags)
	if len(plain) > 0 {
		f.normal = append(append(f.normal, "--"), plain...)
	}
	return nil
}

func (f *found) unknownFlag(name, arg string) *usageError {
	var known []string
	for _, flag := range f.command.Flags {
		if visible, ok := flag.(cli.VisibleFlag); ok && visible.IsVisible() {
			known = append(known, flag.Names()[0])
		}
	}
	written, _, _ := strings.Cut(arg, "=")
	return usage("%s has no flag %s", strings.Join(f.path, " "), written).of(f.path).nearest(name, known, "did you mean --NAME?")
}

func unknownCommand(level []*cli.Command, path []string, name string) *usageError {
	var known []string
	for _, command := range level {
		if !command.Hidden {
			known = append(known, command.Name)
		}
	}
	return usage("%s has no command %q", strings.Join(path, " "), name).of(path).
		hinted("the commands are: %s", strings.Join(known, ", ")).
		nearest(name, known, "did you mean "+strings.Join(path, " ")+" NAME?")
}

var badValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-+([\w-]+): (.*)$`)

// flagError turns what urfave/cli says about a flag into ours.
func flagError(path []string, err error) *usageError {
	if parts := badValue.FindStringSubmatch(err.Error()); parts != nil {
		reason := parts[3]
		switch {
		case strings.HasPrefix(err.Error(), "invalid boolean"):
			reason = "it must be true or false"
		case reason == "parse error" || strings.Contains(reason, "strconv."):
			reason = "it must be a number"
		}
		return usage("flag --%s cannot be %q: %s", parts[2], parts[1], reason).of(path)
	}
	return usage("%v", err).of(path)
}

// exactly returns the arguments of a command, which must be as many as it has names for.
func exactly(c *cli.Context, path []string, names ...string) ([]string, error) {
	given := c.Args().Slice()
	switch {
	case len(given) < len(names):
		return nil, usage("%s needs %s", strings.Join(path, " "), strings.Join(names[len(given):], " and ")).of(path)
	case len(given) > len(names):
		return nil, usage("%s takes nothing more: %q", strings.Join(path, " "), given[len(names)]).of(path)
	}
	return given, nil
}

// list is a flag that can be given several times. Unlike the slices of urfave/cli it does not split at commas, which answers have.
type list []string

// Set adds a value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// String is empty: the flag has no default.
func (l *list) String() string { return "" }

func listFlag(name, help string) *cli.GenericFlag {
	return &cli.GenericFlag{Name: name, Usage: help, Value: &list{}}
}

func listOf(c *cli.Context, name string) []string {
	given, _ := c.Generic(name).(*list)
	if given == nil {
		return nil
	}
	return *given
}

// optional is the value of a flag that can be given with or without one.
type optional struct {
	given bool
	value string
}

// Set takes the value, "" for none.
func (o *optional) Set(value string) error {
	o.given, o.value = true, value
	return nil
}

// String is empty: the flag has no default.
func (o *optional) String() string { return "" }

func optionalFlag(name, help string) *cli.GenericFlag {
	return &cli.GenericFlag{Name: name, Usage: help, Value: &optional{}}
}

func optionalOf(c *cli.Context, name string) optional {
	given, _ := c.Generic(name).(*optional)
	if given == nil {
		return optional{}
	}
	return *given
}

func isOptional(flag cli.DocGenerationFlag) bool {
	generic, ok := flag.(*cli.GenericFlag)
	if !ok {
		return false
	}
	_, ok = generic.Value.(*optional)
	return ok
}

var runID = regexp.MustCompile(`^[0-9]+(?:-[0-9]*(?:-[0-9a-f]*)?)?$`)

// mayBeValue tells whether an argument behind a flag with an optional value is that value: neither another flag nor the id of a run.
// --plan=FILE is clear whatever the file is called.
func mayBeValue(arg string) bool {
	name, _, _ := flagOf(arg)
	return name == "" && !runID.MatchString(arg)
}
