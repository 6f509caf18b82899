package stdlib

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"drrun/lua"
)

// timeModule declares the module time.
func timeModule(o *outside) lua.Module {
	moment := func(name, doc string) lua.Param {
		return lua.Param{Name: name, Type: lua.String, Positional: true, Doc: doc}
	}
	zone := lua.Param{Name: "zone", Type: lua.String, Default: "UTC", Doc: "Time zone, such as \"Europe/Paris\"; \"Local\" is that of this machine."}
	shift := func(name, doc string, sign time.Duration) lua.Func {
		return lua.Func{
			Name: name, Effect: lua.Pure, Returns: "string", Doc: doc,
			Params: []lua.Param{moment("time", "The time, RFC 3339."), {Name: "duration", Type: lua.Duration, Positional: true, Doc: "How much, such as \"90s\" or \"1d\"."}},
			Run: func(c *lua.Call) (any, error) {
				t, err := momentOf(c, "time")
				if err != nil {
					return nil, err
				}
				return rfc3339(t.Add(sign * c.Duration("duration"))), nil
			},
		}
	}
	return lua.Module{
		Name: "time",
		Doc: "Times as texts in RFC 3339, such as \"2026-11-20T03:04:05Z\": what as_of and the journal use. " +
			"Formats are those of strftime: %Y %y %m %d %e %H %I %M %S %L (milliseconds) %p %a %A %b %B %j %z %Z %F (%Y-%m-%d) %T (%H:%M:%S) %s (seconds since 1970) %%.",
		Funcs: []lua.Func{
			{
				Name: "now", Effect: lua.Observes, Returns: "string",
				Doc: "The time now, in UTC. An observation: a resumed run sees another one. Where it must stay the same, put it into a ctx:step.",
				Run: func(c *lua.Call) (any, error) {
					return o.observe(c, func(_ context.Context, s *Session) (any, error) { return rfc3339(s.Env.Clock.Now()), nil })
				},
			},
			{
				Name: "parse", Effect: lua.Pure, Returns: "string",
				Doc: "Reads a time and returns it in UTC. Raises bad-time when the text does not fit the format, or is no time (30 February).",
				Params: []lua.Param{moment("text", "The text."),
					{Name: "format", Type: lua.String, Default: "rfc3339", Doc: "\"rfc3339\", \"unix\" (seconds since 1970), or a strftime format such as \"%Y-%m-%d %H:%M:%S\"."}, zone},
				Run: func(c *lua.Call) (any, error) {
					where, err := zoneOf(c)
					if err != nil {
						return nil, err
					}
					t, err := parseTime(c.String("text"), c.String("format"), where)
					if err != nil {
						return nil, c.Errorf("bad-time", "text", "%v", err)
					}
					return rfc3339(t), nil
				},
			},
			{
				Name: "format", Effect: lua.Pure, Returns: "string", Doc: "Writes a time in a format and a zone.",
				Params: []lua.Param{moment("time", "The time, RFC 3339."), {Name: "format", Type: lua.String, Positional: true, Doc: "A strftime format, or \"unix\"."}, zone},
				Run: func(c *lua.Call) (any, error) {
					t, err := momentOf(c, "time")
					if err != nil {
						return nil, err
					}
					where, err := zoneOf(c)
					if err != nil {
						return nil, err
					}
					layout := c.String("format")
					if layout == "unix" {
						layout = "%s"
					}
					text, err := strftime(t.In(where), layout)
					if err != nil {
						return nil, c.Errorf("bad-argument", "format", "%v", err)
					}
					return text, nil
				},
			},
			shift("add", "The time so much later.", 1),
			shift("sub", "The time so much earlier.", -1),
			{
				Name: "between", Effect: lua.Pure, Returns: "number", Doc: "Seconds from one time to another; negative when the second is earlier.",
				Params: []lua.Param{moment("from", "A time, RFC 3339."), moment("to", "A time, RFC 3339.")},
				Run: func(c *lua.Call) (any, error) {
					from, err := momentOf(c, "from")
					if err != nil {
						return nil, err
					}
					to, err := momentOf(c, "to")
					if err != nil {
						return nil, err
					}
					return to.Sub(from).Seconds(), nil
				},
			},
		},
	}
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func momentOf(c *lua.Call, name string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, c.String(name))
	if err != nil {
		d := c.Errorf("bad-time", name, "%s is not a time in RFC 3339: %q", name, c.String(name))
		d.Hint = `write it like "2026-11-20T03:04:05Z", or read it with time.parse`
		return time.Time{}, d
	}
	return t, nil
}

func zoneOf(c *lua.Call) (*time.Location, error) {
	zone, err := time.LoadLocation(c.String("zone"))
	if err != nil {
		d := c.Errorf("bad-argument", "zone", "there is no time zone %q here", c.String("zone"))
		d.Hint = `write a name of the time zone database, like "Europe/Paris"`
		return nil, d
	}
	return zone, nil
}

// parseTime reads a time in a format; where the text has no zone of its own it is one of the given zone.
func parseTime(text, format string, zone *time.Location) (time.Time, error) {
	switch format {
	case "rfc3339":
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return t, fmt.Errorf("not a time in RFC 3339: %q", text)
		}
		return t, nil
	case "unix", "%s":
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > -1e11 && seconds < 1e11) {
			return time.Time{}, fmt.Errorf("not a number of seconds since 1970: %q", text)
		}
		whole := int64(seconds)
		return time.Unix(whole, int64((seconds-float64(whole))*1e9)), nil
	}
	layout := ""
	for rest := format; rest != ""; {
		literal, directive, behind, err := nextDirective(rest)
		if err != nil {
			return time.Time{}, err
		}
		element, known := layouts[directive]
		if directive != 0 && !known {
			return time.Time{}, fmt.Errorf("%%%c can be written, not read", directive)
		}
		if strings.ContainsAny(literal, "0123456789") || containsName(literal) {
			return time.Time{}, fmt.Errorf("%q in the format would be taken for a part of the time: cut it off the text first", literal)
		}
		layout += literal + element
		rest = behind
	}
	t, err := time.ParseInLocation(layout, text, zone)
	if err != nil {
		return t, fmt.Errorf("%q is no time of the format %q", text, format)
	}
	return t, nil
}

// containsName tells whether a text holds what Go's layouts use as a name: of a month, a day, a zone, or PM.
func containsName(literal string) bool {
	for _, name := range []string{"Jan", "Mon", "MST", "PM", "pm"} {
		if strings.Contains(literal, name) {
			return true
		}
	}
	return false
}

// layouts are the directives of strftime as elements of Go's layouts.
var layouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'j': "002", 'z': "-0700", 'Z': "MST", 'F': "2006-01-02", 'T': "15:04:05",
}

// nextDirective cuts a format behind its first directive; 0 is none, at the end.
func nextDirective(format string) (literal string, directive byte, rest string, err error) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			literal += format[i : i+1]
			continue
		}
		if i+1 == len(format) {
			return "", 0, "", fmt.Errorf("the format ends with a single %%: write %%%% for the sign itself")
		}
		i++
		if format[i] == '%' {
			literal += "%"
			continue
		}
		if _, known := layouts[format[i]]; !known && format[i] != 's' && format[i] != 'L' {
			return "", 0, "", fmt.Errorf("the format has the unknown directive %%%c", format[i])
		}
		return literal, format[i], format[i+1:], nil
	}
	return literal, 0, "", nil
}

func strftime(t time.Time, format string) (string, error) {
	out := ""
	for rest := format; rest != ""; {
		literal, directive, behind, err := nextDirective(rest)
		if err != nil {
			return "", err
		}
		out += literal
		switch directive {
		case 0:
		case 's':
			out += strconv.FormatInt(t.Unix(), 10)
		case 'L': // Go writes fractions only behind a point
			out += fmt.Sprintf("%03d", t.Nanosecond()/1e6)
		default:
			out += t.Format(layouts[directive])
		}
		rest = behind
	}
	return out, nil
}
