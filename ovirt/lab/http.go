package lab

import (
	"context"
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
	entry       *LogEntry
	segments    []string // of the path below the API root
	params      url.Values
	body        []byte
	correlation string
	action      *node // the body of an action, nil for other requests
	items       int   // objects in the answer
	token       *token
	ended       *token                    // a session that is only for this request
	cookie      string                    // set by the answer
	async       bool                      // the client does not wait for what it asks for
	api         bool                      // has passed the filters of the API
	single      bool                      // the document of one VM, not a list
	inlined     bool                      // the handler has followed the links itself
	waited      bool                      // the request took its time already
	profileIDs  map[*storageDomain]string // of the disk profiles that the answer names
	failing     bool                      // an action whose job fails (FaultJob)
}

// reply is an answer. A nil *reply means that the connection is dropped without one.
type reply struct {
	status      int
	contentType string
	header      map[string]string
	body        []byte
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
	c.entry = l.log.add(LogEntry{Time: l.now, Site: e.name, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Correlation: c.correlation, Changing: r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions && !strings.HasSuffix(r.URL.Path, "/isattached") &&
			strings.HasPrefix(r.URL.Path, apiRoot)})
	answer, cut := c.answer()
	if answer != nil && cut != "after" {
		c.entry.Status = answer.status
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
	c.waited = false // a fault's delay comes on top
	answer := c.dispatch()
	if answer == nil {
		return nil
	}
	if c.async = false; !c.waited {
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
	if c.ended != nil {
		c.engine.end(c.ended)
	}
	return answer
}

// wait lets go of the world until an operation is done. It is false when the engine or the client went away meanwhile; the
// operation goes on without the client.
func (c *call) wait(o *op) bool {
	if c.async {
		return false
	}
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
	c.waited = o.finished
	return o.finished
}

// effect notes in the log what the request did.
func (c *call) effect(format string, args ...any) {
	c.entry.Effect = fmt.Sprintf(format, args...)
}

func (c *call) write(w http.ResponseWriter, answer *reply, cut string) {
	answer = inFormat(c.req, answer)
	h := w.Header()
	if c.api {
		h.Set("Correlation-Id", c.correlation)
	}
	if c.cookie != "" {
		h.Set("Set-Cookie", c.cookie)
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
	if compresses(h, c.req, answer.contentType, answer.body) {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(answer.status)
		writeCompressed(w, answer.body)
		recycle(answer.body)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(answer.body)))
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body)
	recycle(answer.body)
}

// dispatch sends the request to SSO, services or API.
func (c *call) dispatch() *reply {
	path := c.req.URL.Path
	switch path {
	case "/ovirt-engine/sso/oauth/token", "/ovirt-engine/sso/oauth/token-http-auth":
		return c.postToken()
	case "/ovirt-engine/sso/oauth/token-info":
		return c.tokenInfo()
	case "/ovirt-engine/sso/oauth/revoke":
		return c.revoke()
	case "/ovirt-engine/sso/status":
		return ssoStatus()
	case "/ovirt-engine/services/sso-logout":
		return c.postLogout()
	case "/ovirt-engine/services/health":
		return c.getHealth()
	case "/ovirt-engine/services/pki-resource":
		return c.getPKI()
	}
	if path == apiRoot || strings.HasPrefix(path, apiRoot+"/") || strings.HasPrefix(path, apiRoot+";") {
		return c.askAPI()
	}
	return html(http.StatusNotFound, "Not Found")
}

// getHealth is the page that load balancers ask for; to get it at all is what tells (ovirt-engine HealthStatus.java).
func (c *call) getHealth() *reply {
	if !c.reading() {
		return methodUnsupported(c.req)
	}
	return &reply{status: http.StatusOK, contentType: "text/html;charset=ISO-8859-1", body: []byte("DB Up!Welcome to Health Status!")}
}

// askAPI does what the filters of the API do with every request, in their order, and routes it (ovirt-engine restapi web.xml).
func (c *call) askAPI() *reply {
	if c.correlation == "" {
		c.correlation = c.lab.newID()
		c.entry.Correlation = c.correlation
	}
	if refused := c.authenticate(); refused != nil {
		return refused
	}
	c.api = true
	c.readPath()
	if !c.version() {
		return html(http.StatusBadRequest, "Bad Request")
	}
	if accepts(c.req) == "" {
		return &reply{status: http.StatusNotAcceptable}
	}
	if m := c.req.Method; m == http.MethodPost || m == http.MethodPut {
		switch mediaType(c.req) {
		case "application/xml", "text/xml", "application/json":
		default:
			return &reply{status: http.StatusUnsupportedMediaType}
		}
	}
	if c.failing {
		return c.failJob()
	}
	if c.nonBlocking() {
		return c.accepted()
	}
	return c.followed(c.route())
}
