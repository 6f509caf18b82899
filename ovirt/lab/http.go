package lab

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// apiRoot is the path of the REST API.
const apiRoot = "/ovirt-engine/api"

// call is one request that an engine works on. Its methods run with the world locked, unless they say otherwise.
type call struct {
	lab         *Lab
	engine      *engine
	ctx         context.Context
	req         *http.Request
	entry       int      // index in the log
	segments    []string // of the path below the API root
	params      url.Values
	body        []byte
	correlation string
	action      *node // the body of an action, nil for other requests
	items       int   // objects in the answer
	token       *token
	inlined     bool // the handler has followed the links itself
	failing     bool // an action whose job fails (FaultJob)
}

// reply is an answer. A nil *reply means that the connection is dropped without one.
type reply struct {
	status      int
	contentType string
	header      map[string]string
	body        []byte
	waited      bool // the request took its time already
}

// Handler serves the engine of a site: SSO, API and services. It panics for an unknown site.
func (l *Lab) Handler(site string) http.Handler {
	e := l.engine(site)
	if e == nil {
		panic(fmt.Sprintf("lab: no site %q", site))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(e, w, r) })
}

// serve answers one request. It panics with http.ErrAbortHandler where the connection is to be dropped.
func (l *Lab) serve(e *engine, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	l.lock()
	if !e.answers {
		l.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	c := &call{lab: l, engine: e, ctx: r.Context(), req: r, body: body}
	c.correlation = correlationOf(r)
	l.log = append(l.log, LogEntry{N: len(l.log) + 1, Time: l.now, Site: e.name, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Correlation: c.correlation, Changing: r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions && !strings.HasSuffix(r.URL.Path, "/isattached") &&
			strings.HasPrefix(r.URL.Path, apiRoot)})
	c.entry = len(l.log) - 1
	answer, cut := c.answer()
	if answer != nil && cut != "after" {
		l.log[c.entry].Status = answer.status
	}
	l.mu.Unlock()
	if answer == nil || cut == "after" {
		panic(http.ErrAbortHandler)
	}
	c.write(w, answer, cut)
}

// answer applies the faults and works on the request. cut is "after" or "truncate" where the answer must not arrive whole.
func (c *call) answer() (answer *reply, cut string) {
	l, e := c.lab, c.engine
	rule := l.requestFault(e, c.req)
	if !e.answers { // a rule took the engine away
		return nil, ""
	}
	if rule == nil {
		return c.work(), ""
	}
	if rule.Delay > 0 {
		if !c.wait(l.after(rule.Delay, func() {})) {
			return nil, ""
		}
	}
	switch {
	case rule.Kind == FaultJob:
		c.failing = true
		return c.work(), ""
	case rule.Restart:
		e.restart()
		return nil, ""
	case rule.Reset == "before":
		return nil, ""
	case rule.HTML && rule.Status >= 300:
		return html(rule.Status, http.StatusText(rule.Status)), ""
	case rule.Status != 0 && !rule.HTML:
		if rule.Reason == "" {
			return &reply{status: rule.Status}, ""
		}
		if c.isAction() {
			c.action = &node{}
		}
		return c.refuse(&refusal{status: rule.Status, reason: rule.Reason, detail: rule.Detail}), ""
	}
	answer = c.work()
	switch {
	case answer == nil:
		return nil, ""
	case rule.HTML:
		return html(http.StatusOK, "Welcome"), ""
	case rule.Empty:
		return &reply{status: answer.status, contentType: answer.contentType}, ""
	case rule.Truncate:
		return answer, "truncate"
	case rule.Reset == "after":
		return answer, "after"
	}
	return answer, ""
}

// isAction reports whether the request is an action on an object, by its place.
func (c *call) isAction() bool { return isAction(c.req) }

// work does the request and lets its time pass.
func (c *call) work() *reply {
	answer := c.dispatch()
	if answer == nil {
		return nil
	}
	if !answer.waited {
		d := c.lab.lat.Read
		if c.req.Method != http.MethodGet {
			d = c.lab.lat.Write
		}
		if !c.wait(c.lab.after(d+c.lab.lat.PerItem*time.Duration(c.items), func() {})) {
			return nil
		}
	}
	if c.token != nil {
		c.token.used = c.lab.now // a request that takes long keeps its session
	}
	return answer
}

// wait lets go of the world until an operation is done. It is false when the engine or the client went away meanwhile; the
// operation goes on without the client.
func (c *call) wait(o *op) bool {
	l, dead := c.lab, c.engine.dead
	for !o.finished && !o.dropped {
		d := o.at.Sub(l.now)
		l.mu.Unlock()
		_, err := l.clock.Wait(c.ctx, d, dead)
		l.lock()
		if err != nil {
			return false
		}
		if c.engine.dead != dead || !c.engine.answers {
			return false
		}
	}
	return o.finished
}

// effect notes in the log what the request did.
func (c *call) effect(format string, args ...any) {
	c.lab.log[c.entry].Effect = fmt.Sprintf(format, args...)
}

func (c *call) write(w http.ResponseWriter, answer *reply, cut string) {
	answer = inFormat(c.req, answer)
	h := w.Header()
	if c.correlation != "" {
		h.Set("Correlation-Id", c.correlation)
	}
	for name, value := range answer.header {
		h.Set(name, value)
	}
	if answer.contentType != "" {
		h.Set("Content-Type", answer.contentType)
	} else {
		h["Content-Type"] = nil // an answer without a document has none
	}
	if cut == "truncate" {
		h.Set("Content-Length", strconv.Itoa(len(answer.body)))
		w.WriteHeader(answer.status)
		_, _ = w.Write(answer.body[:len(answer.body)/2])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	if len(answer.body) > 1024 && strings.Contains(c.req.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(answer.status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = z.Write(answer.body)
		_ = z.Close()
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(answer.body)))
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
}

// correlationOf takes the correlation id from the header or the query, drops the characters that the engine drops and cuts it at
// 36 (ovirt-engine CurrentFilter). It is "" when absent: serve leaves it to dispatch to make one up.
func correlationOf(r *http.Request) string {
	id := r.Header.Get("Correlation-Id")
	if id == "" {
		id = r.URL.Query().Get("correlation_id")
	}
	clean := make([]byte, 0, len(id))
	for i := range len(id) {
		b := id[i]
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-' {
			clean = append(clean, b)
		}
	}
	return string(clean[:min(len(clean), 36)])
}

// dispatch sends the request to SSO, services or API.
func (c *call) dispatch() *reply {
	path := c.req.URL.Path
	switch {
	case path == "/ovirt-engine/sso/oauth/token", path == "/ovirt-engine/sso/oauth/token-http-auth":
		return c.postToken()
	case path == "/ovirt-engine/services/sso-logout":
		return c.postLogout()
	case path == "/ovirt-engine/services/health":
		return &reply{status: http.StatusOK, contentType: "text/html;charset=UTF-8", body: []byte("DB Up!Welcome to Health Status!")}
	case path == "/ovirt-engine/services/pki-resource":
		return c.getPKI()
	case path == apiRoot || strings.HasPrefix(path, apiRoot+"/"):
		return c.api()
	}
	return html(http.StatusNotFound, "Not Found")
}

// api checks what every request to the API must have, and routes it.
func (c *call) api() *reply {
	if c.correlation == "" {
		c.correlation = c.lab.newID()
		c.lab.log[c.entry].Correlation = c.correlation
	}
	if !c.authenticate() {
		return &reply{status: http.StatusUnauthorized, contentType: "text/html;charset=UTF-8",
			header: map[string]string{"WWW-Authenticate": `Basic realm="RESTAPI"`},
			body:   []byte("<html><head><title>Error</title></head><body>Unauthorized</body></html>")}
	}
	raw := strings.TrimPrefix(c.req.URL.EscapedPath(), apiRoot)
	c.params = c.req.URL.Query()
	for _, part := range strings.Split(raw, "/") {
		if part == "" {
			continue
		}
		name, matrix, _ := strings.Cut(part, ";")
		if name, err := url.PathUnescape(name); err == nil {
			c.segments = append(c.segments, name)
		}
		for _, m := range strings.Split(matrix, ";") {
			if k, v, _ := strings.Cut(m, "="); k != "" {
				if v, err := url.PathUnescape(v); err == nil {
					c.params.Set(k, v)
				}
			}
		}
	}
	if len(c.segments) > 0 && (c.segments[0] == "v3" || c.segments[0] == "v4") {
		c.segments = c.segments[1:]
	} else if v := c.req.Header.Get("Version"); v != "" && v != "3" && v != "4" {
		return html(http.StatusBadRequest, "Unsupported version "+v)
	}
	if accepts(c.req) == "" {
		return html(http.StatusNotAcceptable, "Not Acceptable")
	}
	if m := c.req.Method; m == http.MethodPost || m == http.MethodPut {
		switch mediaType(c.req) {
		case "application/xml", "text/xml", "application/json":
		default:
			return html(http.StatusUnsupportedMediaType, "Unsupported Media Type")
		}
	}
	if c.failing {
		return c.failJob()
	}
	return c.followed(c.route())
}

// authenticate accepts a bearer token of this engine or the user's name and password. Anything else is answered with 401 and
// HTML, never with a fault (ovirt-engine aaa filters).
func (c *call) authenticate() bool {
	kind, value, _ := strings.Cut(c.req.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(kind, "Bearer"):
		t := c.engine.tokens[strings.TrimSpace(value)]
		if t == nil || c.lab.now.Sub(t.used) > c.lab.idle {
			return false
		}
		t.used = c.lab.now
		c.token = t
		return true
	case strings.EqualFold(kind, "Basic"):
		pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			return false
		}
		user, password, _ := strings.Cut(string(pair), ":")
		return user == c.engine.spec.Username && password == c.engine.spec.Password
	}
	return false
}

// number reads an integer parameter; -1 when it is absent, empty or nonsense (ovirt-engine ParametersHelper).
func (c *call) number(name string) int {
	n, err := strconv.ParseInt(c.params.Get(name), 10, 32)
	if err != nil || n < 0 {
		return -1
	}
	return int(n)
}

// flagParam reads a boolean parameter: several spellings of true and the bare name mean true, nonsense is ignored
// (ovirt-engine ParametersHelper).
func (c *call) flagParam(name string) bool {
	if !c.params.Has(name) {
		return false
	}
	switch strings.ToLower(c.params.Get(name)) {
	case "", "true", "t", "yes", "y", "1":
		return true
	}
	return false
}
