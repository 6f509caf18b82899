package lab

import (
	"crypto/sha512"
	"encoding/base64"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// token is what SSO gave to a user, with the session of the engine that began when the API saw it first. A session that idles ends,
// and the token with it (ovirt-engine SessionDataContainer).
type token struct {
	value, scope string
	used         time.Time
	idle         time.Duration
	session      string // "" until the API has seen the token
}

func (t *token) expired(now time.Time) bool { return now.Sub(t.used) > t.idle }

// newToken draws a token: 64 bytes in the letters of URLs (ovirt-engine SsoService.generateAuthorizationToken).
func (e *engine) newToken(scope string) *token {
	sum := sha512.Sum512([]byte(e.lab.newID() + e.lab.newID()))
	return &token{value: base64.RawURLEncoding.EncodeToString(sum[:]), scope: scope, used: e.lab.now, idle: e.lab.idle}
}

// loginEvent writes an event of logging in, unless there was the same in the last five seconds (ovirt-engine AuditLogType, flood rate).
func (e *engine) loginEvent(code int, severity, text string) {
	for i := len(e.events) - 1; i >= 0 && e.lab.now.Sub(e.events[i].time) < 5*time.Second; i-- {
		if e.events[i].code == code {
			return
		}
	}
	e.event(code, severity, text, refs{user: e.spec.Username})
}

// begin makes the engine's session of a token.
func (e *engine) begin(t *token) {
	sum := sha512.Sum512([]byte(t.value))
	t.session = base64.StdEncoding.EncodeToString(sum[:])
	e.loginEvent(eventLogin, "normal", "User "+e.userName()+" connecting from '127.0.0.1' using session '"+t.session+"' logged in.")
}

// end closes the engine's session of a token.
func (e *engine) end(t *token) {
	if t.session != "" {
		e.event(eventLogout, "normal", "User "+e.userName()+" connected from '127.0.0.1' using session '"+t.session+"' logged out.", refs{user: e.spec.Username})
	}
}

// endToken logs a token out; an unknown one is nothing.
func (e *engine) endToken(value string) {
	if t := e.tokens[value]; t != nil {
		delete(e.tokens, value)
		e.end(t)
	}
}

// ExpireTokens ends all sessions of a site at once, as the engine's cleaner does with idle ones. An unknown site has none.
func (l *Lab) ExpireTokens(site string) {
	l.lock()
	defer l.mu.Unlock()
	if e := l.engine(site); e != nil {
		e.forgetSessions()
	}
}

// forgetSessions is what an engine's end does to its sessions: nothing of them is stored.
func (e *engine) forgetSessions() {
	e.tokens, e.cookies = map[string]*token{}, map[string]*token{}
}

// sessionCookie is the cookie of a servlet container.
const sessionCookie = "JSESSIONID"

// authenticate lets in whoever has a token of this engine, the user's name and password, or the cookie of a session that was to
// persist. For all others it returns the 401, a page of the servlet container with what SSO had to say, never a fault (ovirt-engine
// SsoRestApiAuthFilter, RestApiSessionMgmtFilter, EnforceAuthFilter; the names of the schemes are compared letter by letter).
func (c *call) authenticate() *reply {
	e, now := c.engine, c.lab.now
	if e.keycloak() {
		return c.authenticateOIDC()
	}
	persist, anew := c.prefers("persistent-auth"), c.prefers("new-auth")
	if cookie, err := c.req.Cookie(sessionCookie); err == nil {
		t := e.cookies[cookie.Value]
		switch {
		case t == nil:
		case persist && !anew && !t.expired(now):
			t.used, c.token = now, t
			return nil
		default:
			delete(e.cookies, cookie.Value)
			e.end(t)
		}
	}
	header, why := c.req.Header.Get("Authorization"), "Unauthorized"
	var t *token
	basic := false
	if value, ok := strings.CutPrefix(header, "Bearer"); ok {
		t = e.tokens[strings.TrimSpace(value)]
		switch {
		case t == nil || t.expired(now):
			if t != nil {
				e.endToken(t.value)
			}
			t, why = nil, grantExpired.code+": "+grantExpired.text
		case t.session == "" && !strings.Contains(" "+t.scope+" ", " "+apiScope+" "):
			t, why = nil, "The required scope ovirt-app-api is not granted."
		}
	} else if strings.HasPrefix(header, "Basic") {
		basic = true
		username, password, _ := c.req.BasicAuth()
		if failure := e.checkPassword(username, password); failure != nil {
			why = failure.code + ": " + failure.text
		} else {
			t = e.newToken(resolvedScope(apiScope))
		}
	}
	if t == nil {
		return withAuthenticate(html(http.StatusUnauthorized, why), `Basic realm="RESTAPI"`)
	}
	t.used, c.token = now, t
	if t.session == "" {
		e.begin(t)
	}
	if persist {
		c.persist(t)
	} else if basic {
		c.ended = t
	}
	return nil
}

// authenticateOIDC lets in by token alone: with Keycloak it is the web server in front of the engine that looks at tokens, and asks for
// one whatever else a request has (ovirt-engine-keycloak internalsso-openidc.conf.in, AuthType oauth20; mod_auth_openidc oauth.c).
func (c *call) authenticateOIDC() *reply {
	header := c.req.Header.Get("Authorization")
	kind, value, _ := strings.Cut(header, " ")
	if !strings.EqualFold(kind, "Bearer") {
		return withAuthenticate(apacheUnauthorized(), `Bearer error="invalid_request", error_description="No bearer token found in the request"`)
	}
	t := c.engine.tokens[strings.TrimSpace(value)]
	if t == nil || t.expired(c.lab.now) {
		if t != nil {
			c.engine.endToken(t.value)
		}
		return withAuthenticate(apacheUnauthorized(), `Bearer error="invalid_token", error_description="Reference token could not be introspected"`)
	}
	if t.session == "" {
		if !strings.Contains(" "+t.scope+" ", " "+apiScope+" ") {
			return withAuthenticate(html(http.StatusUnauthorized, "The required scope ovirt-app-api is not granted."), `Basic realm="RESTAPI"`)
		}
		c.engine.begin(t)
	}
	t.used, c.token = c.lab.now, t
	return nil
}

// apacheUnauthorized is the page of the web server in front of an engine.
func apacheUnauthorized() *reply {
	return &reply{status: http.StatusUnauthorized, contentType: "text/html; charset=iso-8859-1", body: []byte(`<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">
<html><head>
<title>401 Unauthorized</title>
</head><body>
<h1>Unauthorized</h1>
<p>This server could not verify that you
are authorized to access the document
requested.  Either you supplied the wrong
credentials (e.g., bad password), or your
browser doesn't understand how to supply
the credentials required.</p>
</body></html>
`)}
}

// persist gives the client a cookie for the session; Session-TTL is how many minutes it may idle.
func (c *call) persist(t *token) {
	id := base64.RawURLEncoding.EncodeToString([]byte(strings.ReplaceAll(uuidOf(t.value), "-", ""))[:18])
	if c.engine.cookies[id] == nil {
		if minutes, err := strconv.Atoi(c.req.Header.Get("Session-TTL")); err == nil && minutes >= 1 {
			t.idle = time.Duration(minutes) * time.Minute
		}
	}
	c.engine.cookies[id] = t
	c.cookie = sessionCookie + "=" + id + "; path=" + apiRoot + "; HttpOnly"
}

// prefers reports whether a header Prefer has an element of that name.
func (c *call) prefers(name string) bool {
	for _, value := range c.req.Header.Values("Prefer") {
		for element := range strings.SplitSeq(value, ",") {
			if kind, _, err := mime.ParseMediaType(element); err == nil && kind == name {
				return true
			}
		}
	}
	return false
}

// withAuthenticate adds the challenge to a 401.
func withAuthenticate(answer *reply, scheme string) *reply {
	answer.header = map[string]string{"WWW-Authenticate": scheme}
	return answer
}
