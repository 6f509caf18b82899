package stdlib

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"drrun/lua"
)

// textOrSecret is the type of a value that may be a secret.
func textOrSecret() lua.Type { return lua.OneOf(lua.String, lua.SecretT) }

// disclosed remembers every secret that left this process through a module, in each form in which it can come back: a server that shows
// what it was sent, or a program that prints its environment, must not bring one into a journal.
type disclosed struct {
	mu    sync.Mutex
	forms map[string]string // form → what to show instead
	order []string          // of forms, longest first, so that none is torn by a shorter one
}

// reveal returns a text, or the value of a secret, which is masked from now on.
func (d *disclosed) reveal(ctx context.Context, value any) (string, error) {
	secret, isSecret := value.(*lua.Secret)
	if !isSecret {
		text, _ := value.(string)
		return text, nil
	}
	text, err := secret.Reveal(ctx)
	if err != nil {
		return "", err
	}
	d.hide(secret.String(), text)
	return text, nil
}

// hide masks a value, and the forms that it takes in URLs, JSON and base64.
func (d *disclosed) hide(shown, value string) {
	if value == "" {
		return
	}
	quoted, _ := json.Marshal(value) // texts always encode
	plain, _ := encodeJSON(value, false)
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value), inside(string(quoted)), inside(plain), base64.StdEncoding.EncodeToString([]byte(value))}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.forms == nil {
		d.forms = map[string]string{}
	}
	for _, form := range forms {
		if _, known := d.forms[form]; !known {
			d.forms[form] = shown
			d.order = append(d.order, form)
		}
	}
	slices.SortStableFunc(d.order, func(a, b string) int { return len(b) - len(a) })
}

// inside is what stands between the quotes of a JSON text.
func inside(quoted string) string { return quoted[1 : len(quoted)-1] }

// mask takes every disclosed secret out of a text.
func (d *disclosed) mask(text string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, form := range d.order {
		text = strings.ReplaceAll(text, form, d.forms[form])
	}
	return text
}
