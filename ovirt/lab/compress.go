package lab

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// The web server in front of an engine compresses what is text, whatever its size, for clients that accept it
// (ovirt-engine ovirt-engine-proxy.conf.v2.in, AddOutputFilterByType DEFLATE).

var deflated = []string{"text/html", "application/xml", "application/json"}

// writers compress; each has half a megabyte of tables, which are used again.
var writers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return z
}}

// compresses reports whether an answer is to be compressed, and says in its headers that this depends on the client.
func compresses(h http.Header, r *http.Request, contentType string, body []byte) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	text := false
	for _, d := range deflated {
		text = text || d == kind
	}
	if !text || len(body) == 0 {
		return false
	}
	h.Add("Vary", "Accept-Encoding")
	return acceptsGzip(r)
}

func acceptsGzip(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept-Encoding") {
		for item := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
			default:
				continue
			}
			q, found := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
			if n, err := strconv.ParseFloat(q, 64); !found || err != nil || n > 0 {
				return true
			}
		}
	}
	return false
}

// writeCompressed writes a body through gzip.
func writeCompressed(w io.Writer, body []byte) {
	z := writers.Get().(*gzip.Writer)
	defer writers.Put(z)
	z.Reset(w)
	_, _ = z.Write(body)
	_ = z.Close()
}
