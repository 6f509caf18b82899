package stdlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// probe looks at a guest from outside, by the means of a module for hooks: the call that declared the condition is made later, once a look,
// with the guest's own values in its texts.
type probe struct {
	shown string   // what it looks at, as the plan writes it: "port 5432"
	needs []string // placeholders that must have a value: "ip"
	nic   string   // the NIC whose address {ip} is; "" is the first that has one
	look  lookFunc
}

// lookFunc looks once at a guest, of which it is told the values of the placeholders.
type lookFunc func(ctx context.Context, task *engine.Task, guest map[string]string) (look, error)

// Parameters that probes share.
var (
	nicParam  = lua.Param{Name: "nic", Type: lua.String, Optional: true, Doc: "NIC whose address is meant, such as \"nic2\". Default: the first that has one."}
	hostParam = lua.Param{Name: "host", Type: lua.String, Optional: true, Doc: "Name or address to ask, such as \"{name}.example.com\". Default: \"{ip}\", which needs the guest agent."}
)

func tryParam(limit string) lua.Param {
	return lua.Param{Name: "try_timeout", Type: lua.Duration, Default: limit, Doc: "How long one look may take."}
}

// probed makes a condition of a look from outside. texts are the arguments that can hold placeholders; a host that is left out is {ip}.
func probed(c *lua.Call, kind, shown string, look lookFunc, texts ...string) (any, error) {
	p := &probe{shown: shown, nic: c.String("nic"), look: look}
	for _, argument := range texts {
		if argument == "host" && !c.Has("host") {
			p.needs = append(p.needs, "ip")
		}
		if err := p.read(c, argument); err != nil {
			return nil, err
		}
	}
	if p.nic != "" && !slices.Contains(p.needs, "ip") {
		return nil, c.Errorf("bad-argument", "nic", "nic says whose address {ip} is, and {ip} stands nowhere")
	}
	return conditionOf(c, &Condition{Kind: kind, probe: p})
}

// read finds the placeholders of an argument, a text or a list of texts.
func (p *probe) read(c *lua.Call, argument string) error {
	given, isList := c.Value(argument).([]any)
	if !isList {
		given = []any{c.Value(argument)}
	}
	for i, value := range given {
		text, _ := value.(string)
		for _, name := range placeholders(text) {
			if slices.Contains(guestValues, name) {
				p.needs = append(p.needs, name)
				continue
			}
			path := []any{argument}
			if isList {
				path = append(path, i+1)
			}
			d := c.ErrorAt(c.At(path...), "bad-argument", "there is no {%s}", name)
			if d.Hint = lua.DidYouMean(name, guestValues); d.Hint == "" {
				d.Hint = "known: {" + strings.Join(guestValues, "}, {") + "}"
			}
			return d
		}
	}
	return nil
}

func (o *outside) tcpCondition() lua.Func {
	return lua.Func{
		Name: "tcp", Effect: lua.Pure, Returns: "boot_condition",
		Doc: "The VM counts as running when a connection to a port can be made; it is closed at once.",
		Params: append([]lua.Param{
			{Name: "port", Type: lua.Integer, Positional: true, Doc: "Port, 1 to 65535."},
			hostParam, nicParam, timeoutParam, stableForParam, tryParam("5s"),
			{Name: "tls", Type: lua.Bool, Default: false, Doc: "Shake hands by TLS, too, and verify the certificate."},
		}, tlsParams()...),
		Run: func(c *lua.Call) (any, error) {
			if port := c.Int("port"); port < 1 || port > 65535 {
				return nil, c.Errorf("bad-argument", "port", "a port is 1 to 65535, not %d", port)
			}
			host := hostOf(c)
			shown := strconv.Itoa(c.Int("port"))
			if c.Has("host") {
				shown = net.JoinHostPort(host, shown)
			}
			return probed(c, ConditionTCP, shown, func(ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
				later := c.Later(ctx, task, map[string]any{"host": filled(host, guest), "timeout": c.Duration("try_timeout")})
				found, err := o.connect(later)
				if err != nil {
					return look{}, err
				}
				place := net.JoinHostPort(later.String("host"), strconv.Itoa(c.Int("port")))
				if found["open"] == true {
					return look{holds: true, why: place + " is open"}, nil
				}
				return look{why: fmt.Sprintf("%s is not open: %v", place, found["error"])}, nil
			}, "host")
		},
	}
}

// hostOf is the host that a call names, with its placeholders.
func hostOf(c *lua.Call) string {
	if c.Has("host") {
		return c.String("host")
	}
	return "{ip}"
}

func (o *outside) pingCondition() lua.Func {
	return lua.Func{
		Name: "ping", Effect: lua.Pure, Returns: "boot_condition",
		Doc: "The VM counts as running when it answers ICMP echo. Linux lets a process send it whose group is in net.ipv4.ping_group_range, or that has CAP_NET_RAW; " +
			"where it lets neither, the condition fails at once and says so.",
		Params: []lua.Param{hostParam, nicParam, timeoutParam, stableForParam, tryParam("3s")},
		Run: func(c *lua.Call) (any, error) {
			host, shown := hostOf(c), ""
			if c.Has("host") {
				shown = host
			}
			return probed(c, ConditionPing, shown, func(ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
				later := c.Later(ctx, task, map[string]any{"host": filled(host, guest), "timeout": c.Duration("try_timeout")})
				silent, err := o.echo(later)
				switch {
				case err != nil:
					return look{}, err
				case silent != nil:
					return look{why: fmt.Sprintf("%s: %v", later.String("host"), silent)}, nil
				}
				return look{holds: true, why: later.String("host") + " answers ICMP echo"}, nil
			}, "host")
		},
	}
}

func (o *outside) httpCondition() lua.Func {
	return lua.Func{
		Name: "http", Effect: lua.Pure, Returns: "boot_condition",
		Doc: "The VM counts as running when a GET is answered as expected. Redirects are followed.",
		Params: append([]lua.Param{
			{Name: "url", Type: lua.String, Positional: true, Doc: "Address, such as \"http://{ip}:8080/health\". An IPv6 address is put into brackets."},
			{Name: "status", Type: lua.OneOf(lua.Integer, lua.List(lua.Integer)), Optional: true, Doc: "Status that is expected, or a list of them. Default: 200 to 299."},
			{Name: "contains", Type: lua.String, Optional: true, Doc: "Text that the body must hold, within its first MiB."},
			{Name: "headers", Type: lua.Map(textOrSecret()), Optional: true, Doc: "Headers; a value may be a dr.secret."},
			{Name: "user", Type: lua.String, Optional: true, Doc: "User for basic authentication, with password."},
			{Name: "password", Type: lua.SecretT, Optional: true, Doc: "Its password, as dr.secret."},
			{Name: "token", Type: lua.SecretT, Optional: true, Doc: "Bearer token, as dr.secret."},
			nicParam, timeoutParam, stableForParam, tryParam("10s"),
		}, tlsParams()...),
		Run: func(c *lua.Call) (any, error) {
			condition, err := probed(c, ConditionHTTP, withoutQuery(c.String("url")), func(ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
				return o.healthy(c, ctx, task, guest)
			}, "url")
			if err == nil {
				sample := map[string]string{"ip": "192.0.2.1", "fqdn": "guest.example", "name": "guest", "id": "0", "site": "primary"}
				_, err = o.requestTo(c, http.MethodGet, filledURL(c.String("url"), sample), nil, nil)
			}
			return condition, err
		},
	}
}

// withoutQuery is an address for people and records: what stands behind it can be a key.
func withoutQuery(address string) string {
	shown, _, _ := strings.Cut(address, "?")
	return shown
}

// healthy makes the request of an http condition once.
func (o *outside) healthy(c *lua.Call, ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
	arguments := map[string]any{"url": filledURL(c.String("url"), guest), "timeout": c.Duration("try_timeout"), "max_body": int64(1 << 20)}
	switch status := c.Value("status").(type) {
	case float64:
		arguments["expect"] = []any{status}
	case []any:
		arguments["expect"] = status
	}
	later := c.Later(ctx, task, arguments)
	answer, err := o.lookAt(later, http.MethodGet, false)
	var failed *answerError
	switch {
	case errors.As(err, &failed) && ctx.Err() == nil:
		return look{why: o.disclosed.mask(withoutQuery(later.String("url")) + ": " + failed.text)}, nil
	case err != nil:
		return look{}, err
	}
	found := answer.(map[string]any)
	said := fmt.Sprintf("%s answered %v", o.disclosed.mask(withoutQuery(later.String("url"))), found["status"])
	if wanted := c.String("contains"); wanted != "" {
		if body, _ := found["body"].(string); !strings.Contains(body, wanted) {
			return look{why: said + fmt.Sprintf(", and the body does not hold %q", wanted)}, nil
		}
		said += fmt.Sprintf(" with %q", wanted)
	}
	return look{holds: true, why: said}, nil
}

func (o *outside) execCondition() lua.Func {
	return lua.Func{
		Name: "exec", Effect: lua.Pure, Returns: "boot_condition",
		Doc: "The VM counts as running when a program on the machine that drrun runs on ends with 0: dr.boot.exec { \"./check-db.sh\", \"{ip}\" }. " +
			"It runs again and again until it does, in every attempt and for each such VM, and nothing of it is recorded: it must look only, and change nothing. A dry run does not run it.",
		Params: []lua.Param{
			{Name: "argv", Type: lua.List(lua.String), Positional: true, Rest: true, Doc: "Program and arguments, each by itself. A name without / is looked for in PATH, \"./name\" starts in the plan's folder. Everybody on the machine can read arguments."},
			{Name: "env", Type: lua.Map(textOrSecret()), Optional: true, Doc: "Variables to add to the environment; a value may be a dr.secret."},
			{Name: "folder", Type: lua.String, Optional: true, Doc: "Working folder; a relative one starts in the plan's folder, which is the default."},
			nicParam, timeoutParam, stableForParam, tryParam("1m"),
		},
		Run: func(c *lua.Call) (any, error) {
			program, err := programOf(c, o.Folder)
			if err != nil {
				return nil, err
			}
			return probed(c, ConditionExec, program.shown, func(ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
				return o.endsWell(c, ctx, task, guest)
			}, "argv")
		},
	}
}

// endsWell runs the program of an exec condition once. What cannot be run at all will not run later either.
func (o *outside) endsWell(c *lua.Call, ctx context.Context, task *engine.Task, guest map[string]string) (look, error) {
	var argv []any
	for _, word := range c.List("argv") {
		argv = append(argv, filled(word.(string), guest))
	}
	later := c.Later(ctx, task, map[string]any{"argv": argv, "timeout": c.Duration("try_timeout"), "observe": true, "max_output": int64(1 << 10)})
	program, err := programOf(later, o.Folder)
	if err != nil {
		return look{}, err
	}
	_, err = o.observe(later, func(ctx context.Context, _ *Session) (any, error) { return o.runProgram(ctx, later, program, false) })
	var failed *lua.Diagnostic
	switch {
	case err == nil:
		return look{holds: true, why: program.shown + " ended with 0"}, nil
	case ctx.Err() != nil || !errors.As(err, &failed) || failed.Code != "exec-failed":
		return look{}, err
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return look{over: true, why: failed.Message}, nil
	}
	return look{why: failed.Message}, nil
}
