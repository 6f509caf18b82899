package lab

import (
	"strconv"
	"strings"
	"testing"
)

// TestExternalJobEnds is what becomes of an external job and its steps: a step that failed ends the job, and a forced end aborts nothing.
func TestExternalJobEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, end, body string // end is the path below the job
		again           string // how the job is ended once more; "" for not at all
		want            string // status of the job, then of its steps
	}{
		{"a step that succeeded", "steps/{a}/end", "<action><succeeded>true</succeeded></action>", "", "started finished started"},
		{"a step that failed", "steps/{a}/end", "<action><succeeded>false</succeeded></action>", "", "failed failed failed"},
		{"a step of a job that was ended", "steps/{a}/end", "<action><succeeded>false</succeeded></action>", "<action><succeeded>true</succeeded></action>", "finished failed failed"},
		{"a job that succeeded", "end", "<action><succeeded>true</succeeded></action>", "", "finished finished finished"},
		{"a job that failed", "end", "<action><succeeded>false</succeeded></action>", "", "failed failed failed"},
		{"by force", "end", "<action><succeeded>false</succeeded><force>true</force></action>", "", "failed failed failed"},
		{"by default", "end", "<action/>", "", "finished finished finished"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{})
			job := "/jobs/" + r.want(201, "", "secondary", "POST", "/jobs", "<job><description>failover</description><auto_cleared>true</auto_cleared></job>").doc.attr("id")
			step := func(name string) string {
				return r.want(201, "", "secondary", "POST", job+"/steps", "<step><type>executing</type><description>"+name+"</description></step>").doc.attr("id")
			}
			path := strings.ReplaceAll(c.end, "{a}", step("a"))
			step("b")
			r.want(200, "", "secondary", "POST", job+"/"+path, c.body)
			if c.again != "" {
				r.want(200, "", "secondary", "POST", job+"/end", c.again)
			}
			got := []string{r.get("secondary", job).value("status")}
			for _, s := range r.get("secondary", job+"/steps").children {
				got = append(got, s.value("status"))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

// TestLongEvent: an engine keeps the first 10,000 characters of a description.
func TestLongEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for n, want := range map[int]int{9999: 9999, 10000: 10000, 10001: 10000} {
		v := r.want(201, "", "primary", "POST", "/events", "<event><origin>drrun</origin><severity>normal</severity><custom_id>"+strconv.Itoa(n)+"</custom_id><description>"+strings.Repeat("é", n)+"</description></event>").doc
		text := []rune(v.value("description"))
		if len(text) != want || strings.HasSuffix(string(text), "...") != (n > want) {
			t.Errorf("%d characters: %d are kept, ending in %q", n, len(text), string(text[len(text)-4:]))
		}
	}
}
