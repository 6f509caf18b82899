package ovirt

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const lbID2 = "2f0f3dd2-5fd5-44e9-8b3f-2a1c7d3b9a22"

// labelWorld keeps labels as an engine does: the name is unique and the id is the maker's choice. answer may overrule what a request
// is answered, after its effect.
func (f *fake) labelWorld(held map[string]string, answerTo func(r *http.Request, good answer) answer) {
	f.handle("GET /affinitylabels", func(*http.Request, string) answer {
		var b strings.Builder
		for name, id := range held {
			b.WriteString(`<affinity_label id="` + id + `"><name>` + name + `</name></affinity_label>`)
		}
		return xmlAnswer(200, "<affinity_labels>"+b.String()+"</affinity_labels>")
	})
	f.handle("POST /affinitylabels", func(r *http.Request, body string) answer {
		_, rest, _ := strings.Cut(body, `id="`)
		id, rest, _ := strings.Cut(rest, `"`)
		_, rest, _ = strings.Cut(rest, "<name>")
		name, _, _ := strings.Cut(rest, "<")
		if held[name] != "" {
			return answerTo(r, fault(409, "Operation Failed", "[Cannot add affinity label with a conflicting NAME.]"))
		}
		held[name] = id
		return answerTo(r, xmlAnswer(201, `<affinity_label id="`+id+`"><name>`+name+`</name></affinity_label>`))
	})
	for _, id := range []string{lbID, lbID2} {
		f.handle("DELETE /affinitylabels/"+id, func(r *http.Request, _ string) answer {
			for name, one := range held {
				if one == id {
					delete(held, name)
					return answerTo(r, complete)
				}
			}
			return answerTo(r, notFound)
		})
	}
}

func asIs(_ *http.Request, good answer) answer { return good }

func TestCreateLabels(t *testing.T) {
	wanted := []AffinityLabel{{ID: lbID, Name: "drrun.1"}, {ID: lbID2, Name: "drrun.2"}}
	bubble(t, func(t *testing.T, f *fake) { // one request each, and one list for all
		f.labelWorld(map[string]string{}, asIs)
		now, err := f.site().CreateLabels(t.Context(), wanted)
		if err != nil || len(now) != 2 || len(f.requests("POST ")) != 2 || len(f.requests("GET ")) != 1 {
			t.Fatalf("%v %v, %d creations, %d lists", now, err, len(f.requests("POST ")), len(f.requests("GET ")))
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // the first is somebody else's: the second is not tried
		held := map[string]string{"drrun.1": otherID}
		f.labelWorld(held, asIs)
		now, err := f.site().CreateLabels(t.Context(), wanted)
		wantCode(t, err, CodeAlreadyExists)
		if len(now) != 1 || now[0].ID != otherID || held["drrun.2"] != "" {
			t.Fatalf("%v, %v", now, held)
		}
	})
	for name, bad := range map[string]answer{
		"500": {status: 500, kind: "text/html", body: "<html/>"}, "409": fault(409, "Operation Failed", "[x]"), "cut": reset, "no body": {status: 201},
	} {
		bubble(t, func(t *testing.T, f *fake) { // whatever it answers, it is made
			held := map[string]string{}
			f.labelWorld(held, func(r *http.Request, good answer) answer {
				if r.Method == http.MethodPost {
					return bad
				}
				return good
			})
			now, err := f.site().CreateLabels(t.Context(), wanted)
			if err != nil || len(now) != 2 || held["drrun.1"] != lbID || held["drrun.2"] != lbID2 || len(f.requests("POST ")) != 2 {
				t.Errorf("%s: %v, %v, %v", name, now, err, f.requests("POST "))
			}
		})
	}
	bubble(t, func(t *testing.T, f *fake) {
		f.labelWorld(map[string]string{}, asIs)
		f.on("POST /affinitylabels", fault(403, "Operation Failed", "no"))
		now, err := f.site().CreateLabels(t.Context(), wanted)
		wantCode(t, err, CodeForbidden)
		if now == nil || len(f.requests("POST ")) != 1 {
			t.Fatalf("%v, %v", now, f.requests("POST "))
		}
		_, err = f.site().CreateLabels(t.Context(), []AffinityLabel{{ID: lbID, Name: "a b"}})
		wantCode(t, err, CodeBadRequest)
	})
}

func TestDeleteLabels(t *testing.T) {
	ids := []string{lbID, lbID2}
	bubble(t, func(t *testing.T, f *fake) {
		held := map[string]string{"drrun.1": lbID, "x": otherID}
		f.labelWorld(held, asIs)
		left, err := f.site().DeleteLabels(t.Context(), ids)                                // one of them is gone already
		if err != nil || len(left) != 0 || len(held) != 1 || len(f.requests("GET ")) != 2 { // one because of the 404
			t.Fatalf("%v, %v, %v", left, err, held)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // somebody has put one on a VM
		f.labelWorld(map[string]string{"drrun.1": lbID, "drrun.2": lbID2}, asIs)
		f.on("DELETE /affinitylabels/"+lbID, fault(409, "Operation Failed", "[in use]"))
		left, err := f.site().DeleteLabels(t.Context(), ids)
		wantCode(t, err, CodeConflict)
		if !slices.Equal(left, []string{lbID}) {
			t.Fatal(left)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // no answer, and gone
		held := map[string]string{"drrun.1": lbID, "drrun.2": lbID2}
		f.labelWorld(held, func(r *http.Request, good answer) answer {
			if r.Method == http.MethodDelete {
				return reset
			}
			return good
		})
		if left, err := f.site().DeleteLabels(t.Context(), ids); err != nil || len(left)+len(held) != 0 {
			t.Fatal(left, err, held)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // said to be deleted
		f.labelWorld(map[string]string{"drrun.1": lbID}, asIs)
		f.on("DELETE /affinitylabels/"+lbID, complete)
		left, err := f.site().DeleteLabels(t.Context(), ids[:1])
		wantCode(t, err, CodeEngineError)
		if len(left) != 1 {
			t.Fatal(left)
		}
	})
}

// TestPostFreshEvent looks for no event before, and finds the one that has its custom id by the refusal.
func TestPostFreshEvent(t *testing.T) {
	fresh := mark
	fresh.Fresh = true
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /events", xmlAnswer(201, markXML(mark.Description)))
		if _, err := f.site().PostEvent(t.Context(), fresh); err != nil || len(f.requests("GET ")) != 0 {
			t.Fatal(err, f.requests("GET "))
		}
	})
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /events", fault(400, "Operation Failed", "[Cannot add External Event. External Event ID already exists for this Origin.]"))
		f.on("GET /events", xmlAnswer(200, "<events>"+markXML("another")+"</events>"))
		_, err := f.site().PostEvent(t.Context(), fresh)
		wantCode(t, err, CodeAlreadyExists)
	})
}
