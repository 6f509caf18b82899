package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// arrayRoot is where the REST interface of an array begins.
const arrayRoot = "/api/v1"

// arrayRoute is an endpoint of the REST interface. do gets the decoded body, and returns what is answered.
type arrayRoute struct {
	pattern string
	status  int
	do      func(a *array, r *http.Request, body map[string]any) (any, *ArrayError)
}

var arrayRoutes = []arrayRoute{
	{"GET " + arrayRoot + "/array", http.StatusOK, func(a *array, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		return map[string]any{"name": a.site, "model": "drrun lab array", "version": "1.0", "time": a.lab.now}, nil
	}},
	{"GET " + arrayRoot + "/volumes", http.StatusOK, func(a *array, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		views := []ArrayVolume{}
		for _, x := range a.exports() {
			views = append(views, a.volumeView(x))
		}
		return map[string]any{"volumes": views}, nil
	}},
	{"GET " + arrayRoot + "/volumes/{volume}", http.StatusOK, ofVolume(func(a *array, x *export, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		return a.volumeView(x), nil
	})},
	{"PATCH " + arrayRoot + "/volumes/{volume}", http.StatusAccepted, ofVolume(func(a *array, x *export, _ *http.Request, body map[string]any) (any, *ArrayError) {
		wanted, err := textField(body, "access")
		if err != nil {
			return nil, err
		}
		return jobAnswer(a.setAccess(x, wanted))
	})},
	{"GET " + arrayRoot + "/volumes/{volume}/clones", http.StatusOK, ofVolume(func(a *array, x *export, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		return map[string]any{"clones": a.clonesOf(x)}, nil
	})},
	{"POST " + arrayRoot + "/volumes/{volume}/clones", http.StatusAccepted, ofVolume(func(a *array, x *export, _ *http.Request, body map[string]any) (any, *ArrayError) {
		name, err := textField(body, "name")
		if err != nil {
			return nil, err
		}
		return jobAnswer(a.makeClone(x, name))
	})},
	{"DELETE " + arrayRoot + "/volumes/{volume}/clones/{clone}", http.StatusAccepted, ofVolume(func(a *array, x *export, r *http.Request, _ map[string]any) (any, *ArrayError) {
		return jobAnswer(a.dropClone(x, r.PathValue("clone")))
	})},
	{"GET " + arrayRoot + "/replications", http.StatusOK, func(a *array, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		views := []ArrayReplication{}
		for _, p := range a.replications() {
			views = append(views, a.replicationView(p))
		}
		return map[string]any{"replications": views}, nil
	}},
	{"GET " + arrayRoot + "/replications/{replication}", http.StatusOK, ofReplication(func(a *array, p *pair, _ *http.Request, _ map[string]any) (any, *ArrayError) {
		return a.replicationView(p), nil
	})},
	{"POST " + arrayRoot + "/replications/{replication}/{operation}", http.StatusAccepted, ofReplication(func(a *array, p *pair, r *http.Request, body map[string]any) (any, *ArrayError) {
		operation := r.PathValue("operation")
		discard, given := body["discard"]
		if yes, isBool := discard.(bool); given && (!isBool || operation != "resync") {
			return nil, arrayMistake("discard is true or false, and only of resync")
		} else if len(body) > 1 || len(body) == 1 && !given {
			return nil, arrayMistake("the body of %s has nothing but discard", operation)
		} else {
			return jobAnswer(a.operate(p, operation, yes))
		}
	})},
	{"GET " + arrayRoot + "/jobs/{job}", http.StatusOK, func(a *array, r *http.Request, _ map[string]any) (any, *ArrayError) {
		return jobAnswer(a.job(r.PathValue("job")))
	}},
	{"DELETE " + arrayRoot + "/sessions", http.StatusNoContent, func(a *array, r *http.Request, _ map[string]any) (any, *ArrayError) {
		delete(a.sessions, bearer(r))
		return nil, nil
	}},
}

// arrayIndex lists what the REST interface has, for whoever looks at it for the first time.
func arrayIndex() map[string]any {
	endpoints := []string{"POST " + arrayRoot + "/sessions"}
	for _, route := range arrayRoutes {
		endpoints = append(endpoints, route.pattern)
	}
	return map[string]any{
		"login":      "basic authentication, or the token of POST " + arrayRoot + "/sessions {\"user\", \"password\"} as the bearer",
		"endpoints":  endpoints,
		"operations": arrayOperations,
		"jobs":       "what is answered with 202 is a job: GET " + arrayRoot + "/jobs/ID until its state is done or failed",
	}
}

// jobAnswer is a job as it is now, for what is answered is written when the lock is gone.
func jobAnswer(j *ArrayJob, refused *ArrayError) (any, *ArrayError) {
	if refused != nil {
		return nil, refused
	}
	return *j, nil
}

func ofVolume(do func(*array, *export, *http.Request, map[string]any) (any, *ArrayError)) func(*array, *http.Request, map[string]any) (any, *ArrayError) {
	return func(a *array, r *http.Request, body map[string]any) (any, *ArrayError) {
		x, err := a.volume(r.PathValue("volume"))
		if err != nil {
			return nil, err
		}
		return do(a, x, r, body)
	}
}

func ofReplication(do func(*array, *pair, *http.Request, map[string]any) (any, *ArrayError)) func(*array, *http.Request, map[string]any) (any, *ArrayError) {
	return func(a *array, r *http.Request, body map[string]any) (any, *ArrayError) {
		p, err := a.replication(r.PathValue("replication"))
		if err != nil {
			return nil, err
		}
		return do(a, p, r, body)
	}
}

// textField is the only field of a body.
func textField(body map[string]any, name string) (string, *ArrayError) {
	text, ok := body[name].(string)
	if !ok || len(body) != 1 {
		return "", arrayMistake("the body is {%q: TEXT}", name)
	}
	return text, nil
}

// ArrayHandler serves the REST interface of the array of a site, nil where the site has no storage. Each answer takes latency.
func (l *Lab) ArrayHandler(site string, latency time.Duration) http.Handler {
	l.lock()
	a := l.array(site)
	l.mu.Unlock()
	if a == nil {
		return nil
	}
	mux := http.NewServeMux()
	for _, route := range arrayRoutes {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			a.answer(w, r, latency, route.status, func(body map[string]any) (any, *ArrayError) {
				if !a.knows(r) {
					return nil, unauthorized()
				}
				return route.do(a, r, body)
			})
		})
	}
	mux.HandleFunc("POST "+arrayRoot+"/sessions", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, latency, http.StatusCreated, func(body map[string]any) (any, *ArrayError) {
			if body["user"] != ArrayUsername || body["password"] != a.password() {
				return nil, unauthorized()
			}
			a.tokens++
			token := uuidOf(fmt.Sprintf("array/%s/session/%d", a.site, a.tokens))
			a.sessions[token] = a.lab.now
			return map[string]any{"token": token, "idle_seconds": arrayIdle.Seconds()}, nil
		})
	})
	mux.HandleFunc("GET "+arrayRoot, func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, latency, http.StatusOK, func(map[string]any) (any, *ArrayError) { return arrayIndex(), nil })
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.answer(w, r, latency, http.StatusOK, func(map[string]any) (any, *ArrayError) {
			if !a.knows(r) {
				return nil, unauthorized()
			}
			return nil, noSuch("resource", r.Method+" "+r.URL.Path, nil)
		})
	})
	return mux
}

func unauthorized() *ArrayError {
	return &ArrayError{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "log in: basic authentication, or the token of " + arrayRoot + "/sessions as the bearer"}
}

func bearer(r *http.Request) string {
	token, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !isBearer {
		return ""
	}
	return token
}

// knows tells whether a request comes from the array's user.
func (a *array) knows(r *http.Request) bool {
	if user, password, basic := r.BasicAuth(); basic {
		return user == ArrayUsername && password == a.password()
	}
	token := bearer(r)
	used, known := a.sessions[token]
	if !known || a.lab.now.Sub(used) > arrayIdle {
		delete(a.sessions, token)
		return false
	}
	a.sessions[token] = a.lab.now
	return true
}

// answer reads the body, does what is asked for under the lab's lock, and writes what comes of it.
func (a *array) answer(w http.ResponseWriter, r *http.Request, latency time.Duration, status int, do func(map[string]any) (any, *ArrayError)) {
	if latency > 0 {
		if _, err := a.lab.clock.Wait(r.Context(), latency, nil); err != nil {
			return // the client went away
		}
	}
	body, failed := arrayBody(r)
	var out any
	if failed == nil {
		a.lab.lock()
		out, failed = do(body)
		a.lab.mu.Unlock()
	}
	if failed != nil {
		if failed.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="array"`)
		}
		writeJSON(w, failed.Status, map[string]any{"error": failed})
		return
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	writeJSON(w, status, out)
}

func arrayBody(r *http.Request) (map[string]any, *ArrayError) {
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	if err != nil {
		return nil, arrayMistake("the body cannot be read: %v", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil, nil
	}
	if !slices.Contains([]string{http.MethodPost, http.MethodPatch}, r.Method) {
		return nil, arrayMistake("%s takes no body", r.Method)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, arrayMistake("the body is no JSON object: %v", err)
	}
	return body, nil
}
