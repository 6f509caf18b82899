package lab

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token is a session of the API.
type token struct {
	used time.Time
}

func jsonReply(status int, v any) *reply {
	body, err := json.Marshal(v)
	if err != nil {
		return html(http.StatusInternalServerError, "Internal Server Error")
	}
	return &reply{status: status, contentType: "application/json;charset=UTF-8", body: body}
}

// ssoError is how SSO refuses the REST scope (ovirt-engine OAuthTokenServlet).
func ssoError(code, text string) *reply {
	return jsonReply(http.StatusBadRequest, map[string]string{"error_code": code, "error": text})
}

func (c *call) form() url.Values {
	kind, _, err := mime.ParseMediaType(c.req.Header.Get("Content-Type"))
	form := url.Values{}
	if err == nil && kind == "application/x-www-form-urlencoded" {
		if parsed, err := url.ParseQuery(string(c.body)); err == nil {
			form = parsed
		}
	}
	for k, v := range c.req.URL.Query() {
		form[k] = append(form[k], v...)
	}
	return form
}

// postToken logs a user in (ovirt-engine OAuthTokenServlet, SsoService): the Accept header is compared for equality, and what
// follows the last @ of the name must be a profile that the engine knows.
func (c *call) postToken() *reply {
	form := c.form()
	switch {
	case c.req.Method != http.MethodPost && c.req.Method != http.MethodGet:
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	case c.req.Header.Get("Accept") != "application/json":
		return ssoError("invalid_request", "Missing parameter: 'Accept: application/json' header")
	}
	for _, name := range []string{"grant_type", "scope"} {
		if form.Get(name) == "" {
			return ssoError("invalid_request", "Missing parameter: '"+name+"'")
		}
	}
	if form.Get("grant_type") != "password" {
		return ssoError("unsupported_grant_type", "Unsupported grant type: "+form.Get("grant_type"))
	}
	if !strings.Contains(" "+form.Get("scope")+" ", " ovirt-app-api ") {
		return ssoError("invalid_scope", "The requested scope is not valid.")
	}
	user, password := form.Get("username"), form.Get("password")
	if user == "" {
		if kind, value, _ := strings.Cut(c.req.Header.Get("Authorization"), " "); strings.EqualFold(kind, "Basic") {
			pair, _ := base64.StdEncoding.DecodeString(value)
			user, password, _ = strings.Cut(string(pair), ":")
		}
	}
	if user == "" || password == "" {
		return ssoError("invalid_request", "Missing parameter: 'username' or 'password'")
	}
	at := strings.LastIndexByte(user, '@')
	mine := c.engine.spec.Username
	switch {
	case at < 0:
		return ssoError("access_denied", "Cannot authenticate user No valid profile found in credentials.")
	case user[at:] != mine[strings.LastIndexByte(mine, '@'):]:
		return ssoError("access_denied", "Cannot authenticate user '"+user+"': the profile "+user[at+1:]+" is not known.")
	case user != mine || password != c.engine.spec.Password:
		return ssoError("access_denied", "Cannot authenticate user '"+user+"': Unable to log in. Verify your login information or contact the system administrator.")
	}
	value := strings.ReplaceAll(c.lab.newID()+c.lab.newID(), "-", "")
	c.engine.tokens[value] = &token{used: c.lab.now}
	c.engine.event(eventLogin, "normal", "User "+c.engine.userName()+" connecting from '127.0.0.1' using session '"+fingerprint(value)+"' logged in.", refs{user: c.engine.userName()})
	if !c.wait(c.lab.after(c.lab.lat.Login, func() {})) {
		return nil
	}
	answer := jsonReply(http.StatusOK, map[string]string{"access_token": value, "scope": "ovirt-app-api", "exp": "9223372036854775807", "token_type": "bearer"})
	answer.waited = true
	return answer
}

// postLogout revokes a token. It answers 200 for unknown and empty ones too (ovirt-engine SsoLogoutServlet).
func (c *call) postLogout() *reply {
	delete(c.engine.tokens, c.form().Get("token"))
	return jsonReply(http.StatusOK, map[string]string{})
}

// ExpireTokens ends all sessions of a site at once, as the engine's cleaner does with idle ones. An unknown site has none.
func (l *Lab) ExpireTokens(site string) {
	l.lock()
	defer l.mu.Unlock()
	if e := l.engine(site); e != nil {
		e.tokens = map[string]*token{}
	}
}
