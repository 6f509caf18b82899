package ovirt

import (
	"strings"
	"sync"
)

// issued are the tokens of all sessions that a site has had in this process.
type issued struct {
	mu   sync.Mutex
	list []string
}

func (i *issued) add(token string) {
	if token == "" {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list = append(i.list, token)
}

// Redact takes the tokens of the site's sessions out of a text. An error page may show the request that it is about, and a token is as
// good as a password while its session lasts. It may be called at any time.
func (s *Site) Redact(text string) string {
	s.issued.mu.Lock()
	defer s.issued.mu.Unlock()
	for _, token := range s.issued.list {
		text = strings.ReplaceAll(text, token, "<token>")
	}
	return text
}
