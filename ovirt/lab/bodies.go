package lab

import (
	"slices"
	"sync"
)

// A list of thousands of objects is tens of megabytes. Their buffers are used again: to clear and to collect new ones would cost more
// than to write into them.

// bodies are buffers of answers that were sent.
var bodies sync.Pool

// bigBody is the size in bytes from which a buffer is worth keeping.
const bigBody = 1 << 18

// room returns text in a buffer that has room for n bytes more.
func room(text []byte, n int) []byte {
	if len(text)+n >= bigBody {
		if kept, _ := bodies.Get().(*[]byte); kept != nil && cap(*kept) >= len(text)+n {
			return append((*kept)[:0], text...)
		}
	}
	return slices.Grow(text, n)
}

// recycle keeps the buffer of an answer that was sent; nobody may read it any more.
func recycle(body []byte) {
	if cap(body) >= bigBody {
		bodies.Put(&body)
	}
}
