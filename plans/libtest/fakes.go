package libtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"drrun/internal/sshhost"
	"drrun/lua"
	"drrun/ovirt/lab"
)

// answer calls a function of the test that plays a part of the outside world. The plan waits for it: one such call runs at a time, and the
// first that fails fails the test.
func (t *trial) answer(ctx context.Context, what string, fn *lua.Function, args ...any) (result any, ok bool) {
	t.turn.Lock()
	defer t.turn.Unlock()
	var err error
	t.task.Hold(func() { result, err = fn.CallContext(ctx, t.task, args...) })
	if err != nil {
		t.fault(what, err)
		return nil, false
	}
	return result, true
}

// fault keeps what went wrong in the outside world of the test, for its verdict.
func (t *trial) fault(what string, err error) {
	for _, d := range lua.AsDiagnostics(err) {
		one := *d
		one.Notes = append(slices.Clone(d.Notes), "in the function that answers "+what)
		t.faults = append(t.faults, &one)
	}
}

// fakeFuncs are the methods of t that make a part of the outside world.
func fakeFuncs() []lua.Func {
	return []lua.Func{httpFunc(), sshFunc(), arrayFunc(), portFunc()}
}

// httpFake is a web server of which a function of the test answers every request.
type httpFake struct {
	url string

	mu       sync.Mutex
	requests []any
}

var httpClass = &lua.Class{
	Name: "fake_http",
	Doc:  "A web server that the test plays.",
	Fields: []lua.Field{
		{Name: "url", Type: "string", Doc: "Its address, http://HOST:PORT.", Get: func(self any) any { return self.(*httpFake).url }},
		{Name: "requests", Type: "table[]", Doc: "What was asked so far, in order: { method =, path =, query =, headers =, body =, json = }.", Get: func(self any) any {
			f := self.(*httpFake)
			f.mu.Lock()
			defer f.mu.Unlock()
			return slices.Clone(f.requests)
		}},
	},
	String: func(self any) string { return self.(*httpFake).url },
}

func httpFunc() lua.Func {
	return lua.Func{
		Name: "http", Effect: lua.Observes, Returns: "fake_http",
		Doc: "Starts a web server. fn(request) answers: { status = 200, json = { … }, body = \"…\", headers = { … } }, a text, or nothing, which is status 200.",
		Params: []lua.Param{
			{Name: "fn", Type: lua.FunctionType, Positional: true, Doc: "function(request): request has method, path, query, headers (names in lower case), body, and json where the body is JSON."},
		},
		Run: func(c *lua.Call) (any, error) {
			t, fn, ctx := c.Self.(*trial), c.Func("fn"), c.Lua
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, fmt.Errorf("start a web server for the test: %w", err)
			}
			f := &httpFake{url: "http://" + listener.Addr().String()}
			server := &http.Server{
				ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: Timeout,
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					request := requestOf(r)
					f.mu.Lock()
					f.requests = append(f.requests, request)
					f.mu.Unlock()
					t.say(fmt.Sprintf("%s %s %s", f.url, r.Method, r.URL))
					result, ok := t.answer(ctx, r.Method+" "+r.URL.Path, fn, request)
					if !ok {
						http.Error(w, "the function of the test failed", http.StatusInternalServerError)
						return
					}
					respond(w, result)
				}),
			}
			t.fakes = append(t.fakes, func() { _ = server.Close() }) // the test is over, whatever it still serves
			t.suite.Env.Go(func() { _ = server.Serve(listener) })    // it ends with Close
			return lua.NewObject(httpClass, f), nil
		},
	}
}

func requestOf(r *http.Request) map[string]any {
	body, _ := io.ReadAll(r.Body) // what came is what is told
	request := map[string]any{"method": r.Method, "path": r.URL.Path, "body": string(body)}
	query, headers := map[string]any{}, map[string]any{}
	for name, values := range r.URL.Query() {
		query[name] = strings.Join(values, ",")
	}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	request["query"], request["headers"] = query, headers
	var decoded any
	if len(body) > 0 && json.Unmarshal(body, &decoded) == nil {
		request["json"] = decoded
	}
	return request
}

func respond(w http.ResponseWriter, result any) {
	answer, isTable := result.(map[string]any)
	if !isTable {
		text, _ := result.(string)
		_, _ = io.WriteString(w, text) // a client that has gone is not told
		return
	}
	headers, _ := answer["headers"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		w.Header().Set(name, fmt.Sprint(headers[name]))
	}
	body, _ := answer["body"].(string)
	if value, has := answer["json"]; has {
		if encoded, err := json.Marshal(value); err == nil {
			body = string(encoded)
			w.Header().Set("Content-Type", "application/json")
		}
	}
	status := http.StatusOK
	if given, has := answer["status"].(float64); has {
		status = int(given)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// sshFake is an SSH host of which a function of the test answers every command.
type sshFake struct {
	host *sshhost.Host

	mu       sync.Mutex
	commands []any
}

var sshClass = &lua.Class{
	Name: "fake_ssh",
	Doc:  "An SSH host that the test plays. It lets everybody in, and the plan knows its key.",
	Fields: []lua.Field{
		{Name: "host", Type: "string", Doc: "Its address.", Get: func(self any) any { return self.(*sshFake).host.Name }},
		{Name: "port", Type: "number", Doc: "Its port.", Get: func(self any) any {
			port, _ := strconv.Atoi(self.(*sshFake).host.Port) // as the system gave it
			return float64(port)
		}},
		{Name: "commands", Type: "string[]", Doc: "What was run so far, in order.", Get: func(self any) any {
			f := self.(*sshFake)
			f.mu.Lock()
			defer f.mu.Unlock()
			return slices.Clone(f.commands)
		}},
	},
	String: func(self any) string { return self.(*sshFake).host.Name + ":" + self.(*sshFake).host.Port },
}

func sshFunc() lua.Func {
	return lua.Func{
		Name: "ssh", Effect: lua.Observes, Returns: "fake_ssh",
		Doc:    "Starts an SSH host. fn(command, input) answers: { code = 0, stdout = \"…\", stderr = \"…\" }, a text, or nothing, which is code 0.",
		Params: []lua.Param{{Name: "fn", Type: lua.FunctionType, Positional: true, Doc: "function(command, input): the command line, and what was given to it to read."}},
		Run: func(c *lua.Call) (any, error) {
			t, fn, ctx := c.Self.(*trial), c.Func("fn"), c.Lua
			if err := t.setUp(c); err != nil {
				return nil, err
			}
			f := &sshFake{}
			host, err := sshhost.Listen(sshhost.Options{
				Password: func(string, string) bool { return true },
				Run: func(s sshhost.Session) (uint32, sshhost.End) {
					input, _ := io.ReadAll(s.Channel) // what came is what is told
					f.mu.Lock()
					f.commands = append(f.commands, s.Command)
					f.mu.Unlock()
					t.say("ssh " + s.User + ": " + s.Command)
					result, ok := t.answer(ctx, "ssh "+s.Command, fn, s.Command, string(input))
					if !ok {
						return 255, sshhost.WithCode
					}
					return endSession(s, result), sshhost.WithCode
				},
				Go: t.suite.Env.Go,
			})
			if err != nil {
				return nil, err
			}
			f.host = host
			t.fakes = append(t.fakes, host.Close)
			return lua.NewObject(sshClass, f), t.know(host.KnownHosts)
		},
	}
}

func endSession(s sshhost.Session, result any) (code uint32) {
	answer, isTable := result.(map[string]any)
	if !isTable {
		answer = map[string]any{"stdout": result}
	}
	stdout, _ := answer["stdout"].(string)
	stderr, _ := answer["stderr"].(string)
	given, _ := answer["code"].(float64)
	_, _ = io.WriteString(s.Channel, stdout) // a client that has gone is not told
	_, _ = io.WriteString(s.Channel.Stderr(), stderr)
	return uint32(given)
}

// know adds lines to the file known_hosts in the plan's folder.
func (t *trial) know(lines string) error {
	file, err := os.OpenFile(filepath.Join(t.folder, "known_hosts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write known_hosts of the test: %w", err)
	}
	_, err = file.WriteString(lines)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

func arrayFunc() lua.Func {
	return lua.Func{
		Name: "array", Effect: lua.Observes, Returns: "table",
		Doc: "The simulated array of a site, with its REST interface and its command line: { url =, host =, port =, username =, password =, ca_file = }. It moves the storage of the lab. " +
			"The plan knows its SSH key, and finds the certificate of its CA as ca_file.",
		Params: []lua.Param{siteParam},
		Run: func(c *lua.Call) (any, error) {
			t, name := c.Self.(*trial), c.String("site")
			if err := t.setUp(c); err != nil {
				return nil, err
			}
			if t.arrays == nil {
				served, err := lab.ServeArrays(c.Lua, t.lab, lab.ArrayOptions{Go: t.suite.Env.Go})
				if err != nil {
					return nil, fmt.Errorf("start the arrays of the test: %w", err)
				}
				t.arrays = served
				t.fakes = append(t.fakes, func() { _ = served.Close() }) // the test is over
				if err := t.know(string(served.KnownHosts)); err != nil {
					return nil, err
				}
			}
			found := t.arrays.Array(name)
			if found.URL == "" {
				return nil, c.Errorf("bad-argument", "site", "site %q has no storage, so it has no array", name)
			}
			ca, err := t.lab.CA(name)
			if err != nil {
				return nil, fmt.Errorf("read the CA of site %s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(t.folder, name+"-ca.pem"), ca, 0o600); err != nil {
				return nil, fmt.Errorf("write the CA of site %s: %w", name, err)
			}
			host, text, err := net.SplitHostPort(found.SSH)
			if err != nil {
				return nil, err
			}
			port, err := strconv.Atoi(text)
			if err != nil {
				return nil, err
			}
			return map[string]any{
				"url": found.URL, "host": host, "port": float64(port), "username": found.Username, "password": found.Password, "ca_file": name + "-ca.pem",
			}, nil
		},
	}
}

// portFake is a port that takes connections.
type portFake struct {
	listener net.Listener
	taken    func() int
}

var portClass = &lua.Class{
	Name: "fake_port",
	Doc:  "A TCP port that takes connections and says nothing.",
	Fields: []lua.Field{
		{Name: "address", Type: "string", Doc: "HOST:PORT.", Get: func(self any) any { return self.(*portFake).listener.Addr().String() }},
		{Name: "host", Type: "string", Doc: "Its address.", Get: func(self any) any { return self.(*portFake).tcp().IP.String() }},
		{Name: "port", Type: "number", Doc: "Its port.", Get: func(self any) any { return float64(self.(*portFake).tcp().Port) }},
		{Name: "connections", Type: "number", Doc: "How many were taken.", Get: func(self any) any { return float64(self.(*portFake).taken()) }},
	},
	Methods: []lua.Func{{
		Name: "close", Effect: lua.Observes, Doc: "Takes no more connections: the port is closed.",
		Run: func(c *lua.Call) (any, error) { return nil, c.Self.(*portFake).listener.Close() },
	}},
	String: func(self any) string { return self.(*portFake).listener.Addr().String() },
}

func (f *portFake) tcp() *net.TCPAddr { return f.listener.Addr().(*net.TCPAddr) }

func portFunc() lua.Func {
	return lua.Func{
		Name: "port", Effect: lua.Observes, Returns: "fake_port", Doc: "Opens a TCP port, for what only looks whether something listens.",
		Run: func(c *lua.Call) (any, error) {
			t := c.Self.(*trial)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, fmt.Errorf("open a port for the test: %w", err)
			}
			var mu sync.Mutex
			taken := 0
			t.fakes = append(t.fakes, func() { _ = listener.Close() }) // the test is over
			t.suite.Env.Go(func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					mu.Lock()
					taken++
					mu.Unlock()
					_ = connection.Close() // it was taken, and that is all
				}
			})
			return lua.NewObject(portClass, &portFake{listener: listener, taken: func() int {
				mu.Lock()
				defer mu.Unlock()
				return taken
			}}), nil
		},
	}
}
