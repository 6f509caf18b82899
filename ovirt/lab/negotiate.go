package lab

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The media types of the API are XML and JSON; XML is what a client gets that does not care. The query parameter accept stands
// for the header (ovirt-engine restapi web.xml, resteasy.media.type.param.mapping).

// accepts says which of XML and JSON the client wants; "" where it wants neither.
func accepts(r *http.Request) string {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.Contains(r.URL.RawQuery, "accept=") {
		if v := r.URL.Query().Get("accept"); v != "" {
			header = v
		}
	}
	if header == "application/xml" || strings.TrimSpace(header) == "" {
		return "xml"
	}
	best, bestQ, bestExact := "", 0.0, -1
	for _, item := range strings.Split(header, ",") {
		kind, parameters, _ := strings.Cut(item, ";")
		q := 1.0
		for _, p := range strings.Split(parameters, ";") {
			if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
				if n, err := strconv.ParseFloat(v, 64); err == nil {
					q = n
				}
			}
		}
		format, exact := "", 2
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/xml":
			format = "xml"
		case "application/json":
			format = "json"
		case "application/*":
			format, exact = "xml", 1
		case "*/*", "*":
			format, exact = "xml", 0
		}
		if format != "" && q > 0 && (q > bestQ || q == bestQ && exact > bestExact) {
			best, bestQ, bestExact = format, q, exact
		}
	}
	return best
}

// sentJSON reports whether the request's body is JSON.
func sentJSON(r *http.Request) bool { return mediaType(r) == "application/json" }

func mediaType(r *http.Request) string {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// inFormat turns a document of the API into JSON where the client wants that.
func inFormat(r *http.Request, answer *reply) *reply {
	if !strings.HasPrefix(answer.contentType, "application/xml") || len(answer.body) == 0 || accepts(r) != "json" {
		return answer
	}
	doc, err := readLines(answer.body, false)
	if err != nil {
		return answer
	}
	same := *answer
	same.contentType, same.body = "application/json", asJSON(doc)
	recycle(answer.body)
	return &same
}

// attributeOrder returns the names of an element's attributes as documents have them: href, id, then the others by name.
func attributeOrder(n *node) []string {
	if len(n.attrs) == 0 {
		return nil
	}
	var names []string
	for _, a := range []string{"href", "id"} {
		if _, ok := n.attrs[a]; ok {
			names = append(names, a)
		}
	}
	fixed := len(names)
	for a := range n.attrs {
		if a != "href" && a != "id" {
			names = append(names, a)
		}
	}
	slices.Sort(names[fixed:])
	return names
}
