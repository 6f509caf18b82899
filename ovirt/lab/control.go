package lab

import (
	"encoding/json"
	"net/http"
)

// Control serves the control API: what happens to the world from outside the engines. It is for tests and people; a client of the
// engines never calls it.
//
//	GET  /world                    View
//	GET  /log                      []LogEntry
//	POST /sites/{site}/disaster    power off; with ?only=engine just the engine stops to answer
//	POST /sites/{site}/heal        power on
//	POST /arrays/promote           {"domain": "nfs_ds"}, or ?domain=
//	POST /arrays/replicate         {"domain": "nfs_ds"}, or ?domain=
//	POST /faults                   Fault
//
// A change answers {"ok": true}; an error {"error": "…"} with 400.
func (l *Lab) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /world", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, l.View()) })
	mux.HandleFunc("GET /log", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, l.Log()) })
	change := func(pattern string, do func(*http.Request) error) {
		mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
		})
	}
	change("/sites/{site}/disaster", func(r *http.Request) error {
		if r.URL.Query().Get("only") == "engine" {
			return l.Outage(r.PathValue("site"))
		}
		return l.Disaster(r.PathValue("site"))
	})
	change("/sites/{site}/heal", func(r *http.Request) error { return l.Heal(r.PathValue("site")) })
	domain := func(do func(string) error) func(*http.Request) error {
		return func(r *http.Request) error {
			in := struct {
				Domain string `json:"domain"`
			}{r.URL.Query().Get("domain")}
			if in.Domain == "" {
				if err := readJSON(r, &in); err != nil {
					return err
				}
			}
			return do(in.Domain)
		}
	}
	change("/arrays/promote", domain(l.Promote))
	change("/arrays/replicate", domain(l.Replicate))
	change("/faults", func(r *http.Request) error {
		var f Fault
		if err := readJSON(r, &f); err != nil {
			return err
		}
		return l.Fail(f)
	})
	return mux
}

func readJSON(r *http.Request, to any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client went away: nothing to do
}
