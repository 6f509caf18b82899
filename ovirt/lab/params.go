package lab

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// headerParameters may also be sent as headers (ovirt-engine ParametersHelper.java).
var headerParameters = []string{"filter", allContentHeader}

const allContentHeader = "All-Content"

// readPath takes the request's path and parameters apart. A parameter is looked for in the query, then among the matrix parameters of
// the last segment, then, for a few, among the headers; a name without a value is an empty one (ovirt-engine ParametersHelper.java).
func (c *call) readPath() {
	c.params = c.req.URL.Query()
	last := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(c.req.URL.EscapedPath(), apiRoot), "/") {
		if part == "" {
			continue
		}
		name, matrix, _ := strings.Cut(part, ";")
		last = matrix
		if name, err := url.PathUnescape(name); err == nil {
			c.segments = append(c.segments, name)
		}
	}
	matrix := url.Values{}
	for _, m := range strings.Split(last, ";") {
		name, value, _ := strings.Cut(m, "=")
		if value, err := url.PathUnescape(value); err == nil && name != "" {
			matrix.Add(name, value)
		}
	}
	for name, values := range matrix {
		if !c.params.Has(name) {
			c.params[name] = values
		}
	}
	for _, name := range headerParameters {
		if values := c.req.Header.Values(name); len(values) > 0 && !c.params.Has(name) {
			c.params.Set(name, values[0])
		}
	}
}

// version takes a version from the path or the header, and tells whether the API has it (ovirt-engine VersionFilter.java).
func (c *call) version() bool {
	if len(c.segments) > 0 {
		if v, ok := strings.CutPrefix(c.segments[0], "v"); ok && v != "" && strings.Trim(v, "0123456789") == "" {
			c.segments = c.segments[1:]
			return v == "3" || v == "4"
		}
	}
	v := c.req.Header.Get("Version")
	return v == "" || v == "3" || v == "4"
}

// number reads an integer parameter; -1 when it is absent, empty or nonsense (ovirt-engine ParametersHelper.java).
func (c *call) number(name string) int {
	n, err := strconv.ParseInt(c.params.Get(name), 10, 32)
	if err != nil || n < 0 {
		return -1
	}
	return int(n)
}

// flagParam reads a boolean parameter: several spellings of true and the bare name mean true, nonsense is ignored
// (ovirt-engine ParametersHelper.java).
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

// allContent tells that the client wants also what costs an engine more: the parameter all_content, or the header All-Content, which
// is a parameter too (ovirt-engine BackendResource.isPopulate).
func (c *call) allContent() bool { return c.flagParam("all_content") || c.flagParam(allContentHeader) }

// correlationOf takes the correlation id from the header or else the query, drops the characters that the engine drops and cuts it
// at 36. It is "" where nothing is left of it (ovirt-engine CurrentFilter.java).
func correlationOf(r *http.Request) string {
	if id := cleanCorrelation(r.Header.Get("Correlation-Id")); id != "" {
		return id
	}
	if !strings.Contains(r.URL.RawQuery, "correlation_id") {
		return ""
	}
	return cleanCorrelation(r.URL.Query().Get("correlation_id"))
}

func cleanCorrelation(id string) string {
	clean := make([]byte, 0, len(id))
	for i := range len(id) {
		b := id[i]
		if b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '_' || b == '-' {
			clean = append(clean, b)
		}
	}
	return string(clean[:min(len(clean), 36)])
}
