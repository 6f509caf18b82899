package lab

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// openAPI is the document of the control API, made of controlRoutes and the types that they name (TestOpenAPI -update).
//
//go:embed openapi.json
var openAPI []byte

// controlRoute is an endpoint of the control API. The handler is made of it, and so is its part of openapi.json.
type controlRoute struct {
	method, path string
	summary      string // one line
	text         string // what else there is to know
	query        []controlParam
	in           any   // the body; nil takes none
	bodyless     bool  // the body can be left out: the query says it
	out          any   // the answer with 200
	refuses      []int // statuses of its refusals, beside 400
	do           func(l *Lab, r *http.Request, in any) (any, error)
}

// controlParam is a parameter in the query.
type controlParam struct {
	name, text string
	values     []string // what it can be; none is any text
	number     bool
}

// Done is the answer to a change.
type Done struct {
	OK bool `json:"ok"`
}

// DomainChoice names a replicated storage domain.
type DomainChoice struct {
	Domain string `json:"domain"` // name or id of the domain, or name of the replication
}

var domainParam = controlParam{name: "domain", text: "The storage domain, instead of a body."}

// controlRoutes are all endpoints, in the order of the document.
var controlRoutes = []controlRoute{
	{method: "GET", path: "/openapi.json", summary: "this document", out: map[string]any{}},
	{method: "GET", path: "/world", summary: "the whole world, as a bystander sees it who knows both sites and the storage", out: View{},
		do: func(l *Lab, _ *http.Request, _ any) (any, error) { return l.View(), nil }},
	{method: "GET", path: "/log", summary: "the requests to the engines, oldest first; the last 100,000 of them", out: []LogEntry{},
		query: []controlParam{{name: "since", text: "Only requests behind this number.", number: true}},
		do: func(l *Lab, r *http.Request, _ any) (any, error) {
			since, err := numberOf("since", r.URL.Query().Get("since"))
			if err != nil {
				return nil, err
			}
			return l.LogSince(since), nil
		}},
	{method: "POST", path: "/sites/{site}/disaster", summary: "take a site's power",
		text:  "Engine, hosts, VMs and the site's storage stop at once; replication stops with what had arrived.",
		query: []controlParam{{name: "only", text: "Only the engine stops to answer; hosts, VMs and storage work on.", values: []string{"engine"}}},
		out:   Done{}, refuses: []int{404},
		do: func(l *Lab, r *http.Request, _ any) (any, error) {
			switch only := r.URL.Query().Get("only"); only {
			case "":
				return atSite(l, r, l.Disaster)
			case "engine":
				return atSite(l, r, l.Outage)
			default:
				return nil, refused("only is %q", only).hinted("leave it out, or: ?only=engine")
			}
		}},
	{method: "POST", path: "/sites/{site}/heal", summary: "give a site its power back",
		text: "Hosts boot, the engine starts and restarts highly available VMs whose storage it can write to, and what faults took from hosts and storage is back. Nothing is replicated or promoted by it.",
		out:  Done{}, refuses: []int{404},
		do: func(l *Lab, r *http.Request, _ any) (any, error) { return atSite(l, r, l.Heal) }},
	{method: "POST", path: "/arrays/promote", summary: "make the replica of a storage domain writable", text: "It holds what had arrived; replication is split. Promoting again does nothing.",
		query: []controlParam{domainParam}, in: DomainChoice{}, bodyless: true, out: Done{}, refuses: []int{404, 409},
		do: func(l *Lab, r *http.Request, in any) (any, error) { return ofDomain(l, r, in, l.Promote) }},
	{method: "POST", path: "/arrays/replicate", summary: "replicate a storage domain from the side that counts to the other, which is overwritten",
		text:  "The side that counts is the source; after a promotion it is the promoted one.",
		query: []controlParam{domainParam}, in: DomainChoice{}, bodyless: true, out: Done{}, refuses: []int{404, 409},
		do: func(l *Lab, r *http.Request, in any) (any, error) { return ofDomain(l, r, in, l.Replicate) }},
	{method: "GET", path: "/faults", summary: "the rules by which the lab fails, with what each did", out: []FaultView{},
		do: func(l *Lab, _ *http.Request, _ any) (any, error) { return l.Faults(), nil }},
	{method: "POST", path: "/faults", summary: "add a rule", text: "Rules are tried in the order in which they were added; the first that meets a request wins.",
		in: Fault{}, out: FaultView{}, refuses: []int{404},
		do: func(l *Lab, _ *http.Request, in any) (any, error) {
			view, err := l.AddFault(*in.(*Fault))
			return view, err
		}},
	{method: "DELETE", path: "/faults", summary: "take all rules away; what they did stays", out: Done{},
		do: func(l *Lab, _ *http.Request, _ any) (any, error) { return Done{true}, l.DropFault(0) }},
	{method: "DELETE", path: "/faults/{n}", summary: "take a rule away; what it did stays", out: Done{}, refuses: []int{404},
		do: func(l *Lab, r *http.Request, _ any) (any, error) {
			n, err := numberOf("n", r.PathValue("n"))
			if err != nil {
				return nil, err
			}
			if n == 0 {
				return nil, refused("rules count from 1").hinted("GET /faults lists them")
			}
			return Done{true}, l.DropFault(n)
		}},
}

// Control serves the control API: what happens to the world from outside the engines. It is for tests and people; a client of the
// engines never calls it. openapi.json, which it serves too, says what there is. An error is a ControlError in JSON.
func (l *Lab) Control() http.Handler {
	mux := http.NewServeMux()
	methods := map[string]map[string]controlRoute{}
	var paths []string
	for _, route := range controlRoutes {
		if methods[route.path] == nil {
			methods[route.path] = map[string]controlRoute{}
			paths = append(paths, route.path)
		}
		methods[route.path][route.method] = route
	}
	for _, path := range paths {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			method := r.Method
			if method == http.MethodHead {
				method = http.MethodGet
			}
			route, ok := methods[path][method]
			if !ok {
				var allowed []string
				for _, other := range controlRoutes {
					if other.path == path {
						allowed = append(allowed, other.method)
					}
				}
				w.Header().Set("Allow", strings.Join(allowed, ", "))
				l.refuseControl(w, &ControlError{Status: http.StatusMethodNotAllowed, Message: r.Method + " " + path + " is no endpoint", Advice: "allowed: " + strings.Join(allowed, ", ")})
				return
			}
			l.control(w, r, route)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		l.refuseControl(w, unknownName("endpoint", r.URL.Path, paths, "GET /openapi.json describes them"))
	})
	return mux
}

// control answers one request.
func (l *Lab) control(w http.ResponseWriter, r *http.Request, route controlRoute) {
	if route.do == nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(openAPI)
		return
	}
	for name := range r.URL.Query() {
		if !route.takes(name) {
			l.refuseControl(w, refused("%s %s takes no parameter %q", route.method, route.path, name).hinted("GET /openapi.json describes it"))
			return
		}
	}
	in, err := route.body(r)
	var out any
	if err == nil {
		out, err = route.do(l, r, in)
	}
	if err != nil {
		l.refuseControl(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (route controlRoute) takes(name string) bool {
	for _, p := range route.query {
		if p.name == name {
			return true
		}
	}
	return false
}

// body reads the body into a new value of the route's type.
func (route controlRoute) body(r *http.Request) (any, error) {
	if route.in == nil {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, refused("the body cannot be read: %v", err)
	}
	in := reflect.New(reflect.TypeOf(route.in)).Interface()
	if len(strings.TrimSpace(string(text))) == 0 && route.bodyless {
		return in, nil
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return nil, refused("the body is no %s: %s", reflect.TypeOf(route.in).Name(), strings.TrimPrefix(err.Error(), "json: ")).hinted("known: %s", joined(jsonNames(reflect.TypeOf(route.in))))
	}
	if d.More() {
		return nil, refused("the body goes on behind its value").hinted("send one JSON object")
	}
	return in, nil
}

// jsonNames are the names of a struct's fields.
func jsonNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// refuseControl answers with an error. One that is no ControlError is about the state of things.
func (l *Lab) refuseControl(w http.ResponseWriter, err error) {
	answer := ControlError{Status: http.StatusConflict, Message: err.Error(), Advice: "GET /world shows how things stand"}
	var known *ControlError
	if errors.As(err, &known) {
		answer.Status, answer.Advice = known.Status, known.Advice
	}
	writeJSON(w, answer.Status, answer)
}

// numberOf reads a parameter that counts; "" is 0.
func numberOf(name, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if text != "" && (err != nil || n < 0) {
		return 0, refused("%s is no number: %q", name, text)
	}
	return n, nil
}

// atSite does something with the site of the path.
func atSite(l *Lab, r *http.Request, do func(string) error) (any, error) {
	site := r.PathValue("site")
	l.lock()
	known, sites := l.engine(site) != nil, l.faultTargets().sites
	l.mu.Unlock()
	if !known {
		return nil, unknownName("site", site, sites, "")
	}
	return Done{true}, do(site)
}

// ofDomain does something with the storage domain that the query or the body names.
func ofDomain(l *Lab, r *http.Request, in any, do func(string) error) (any, error) {
	domain := r.URL.Query().Get("domain")
	if body := in.(*DomainChoice).Domain; domain == "" {
		domain = body
	}
	l.lock()
	_, err := l.pairNamed(domain)
	var known []string
	for _, p := range l.pairs {
		known = append(known, p.domain)
	}
	l.mu.Unlock()
	if err != nil {
		return nil, unknownName("replicated storage domain", domain, known, "")
	}
	return Done{true}, do(domain)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client went away: nothing to do
}

// faultJSON is a Fault with its delay as people write it.
type faultJSON struct {
	*plainFault
	Delay string `json:"delay,omitempty"`
}

type plainFault Fault

// MarshalJSON writes the delay as text, such as "2s".
func (f Fault) MarshalJSON() ([]byte, error) {
	out := faultJSON{plainFault: (*plainFault)(&f)}
	if f.Delay != 0 {
		out.Delay = f.Delay.String()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. A name that is none is an error.
func (f *Fault) UnmarshalJSON(text []byte) error {
	in := faultJSON{plainFault: (*plainFault)(f)}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	if in.Delay == "" {
		return nil
	}
	delay, err := time.ParseDuration(in.Delay)
	if err != nil {
		return fmt.Errorf("delay is no duration: %q", in.Delay)
	}
	f.Delay = delay
	return nil
}
