package stdlib

import (
	"context"
	"crypto/tls"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"drrun/engine"
	"drrun/lua"
)

// requiredParam is the parameter of every message.
var requiredParam = lua.Param{Name: "required", Type: lua.Bool, Default: false, Doc: "A message that cannot be sent is an error. Default: a warning in the run's report, and the run goes on."}

// notifyModule declares the module notify.
func notifyModule(o *outside) lua.Module {
	return lua.Module{
		Name: "notify",
		Doc: "Messages to people and their systems. Each is a change, so that a resumed run does not send it twice; in on_error it is sent by every attempt. " +
			"Each returns whether it was sent: a failover does not stop because a mail server is down.",
		Funcs: []lua.Func{webhookFunc(o), mailFunc(o), syslogFunc(o)},
	}
}

// notify sends a message as a change. Where it fails that is a warning, unless the call says that it is required.
func (o *outside) notify(c *lua.Call, name string, args map[string]any, send func(ctx context.Context, s *Session) error) (any, error) {
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	return o.change(c, change{
		name: name, args: named(args), assumed: true, timeout: c.Duration("timeout"),
		do: func(ctx context.Context, _ bool) (any, error) {
			err := send(ctx, s)
			if err == nil {
				return true, nil
			}
			text := o.disclosed.mask(name + ": " + inTime(ctx, c.Duration("timeout"), err).Error())
			if c.Bool("required") || ctx.Err() != nil && ctx.Err() != context.DeadlineExceeded {
				d := c.Errorf("notify-failed", "", "%s", text)
				d.Retryable, d.Err = true, maskedError(o.disclosed.mask, err)
				return nil, d
			}
			s.Warn(engine.Subject{}, "the message was not sent: "+text)
			return false, nil
		},
	})
}

func webhookFunc(o *outside) lua.Func {
	params := requestParams("15s")
	params[0] = lua.Param{Name: "url", Type: textOrSecret(), Doc: "Address; a dr.secret where whoever knows it can write, as with chat systems."}
	params = slices.DeleteFunc(params, func(p lua.Param) bool { return p.Name == "redirects" })
	return lua.Func{
		Name: "webhook", Effect: lua.Durable, Returns: "boolean",
		Doc: "Posts to a web address: a table as JSON, a text as it is.",
		Params: append(params,
			lua.Param{Name: "body", Type: lua.Any, Doc: "The message: a table, such as { text = \"…\" } or the result that after_run gets, or a text. Texts in it may be secrets."},
			requiredParam, onCutParam),
		Run: func(c *lua.Call) (any, error) {
			var data, body any = c.Value("body"), nil
			switch data.(type) {
			case string, *lua.Secret:
				data, body = nil, data
			case map[string]any, []any:
			default:
				return nil, c.Errorf("bad-argument", "body", "the body is neither a table nor a text")
			}
			to, isText := c.Value("url").(string)
			shown := fmt.Sprint(c.Value("url"))
			if isText {
				r, err := o.requestTo(c, http.MethodPost, to, data, body)
				if err != nil {
					return nil, err
				}
				shown = r.url.Scheme + "://" + r.url.Host + r.url.Path
			}
			args := map[string]any{"url": c.Value("url"), "body": c.Value("body"), "headers": c.Value("headers")}
			return o.notify(c, "notify.webhook "+shown, args, func(ctx context.Context, s *Session) error {
				address, err := o.disclosed.reveal(ctx, c.Value("url"))
				if err != nil {
					return err
				}
				r, err := o.requestTo(c, http.MethodPost, strings.TrimSpace(address), data, body)
				if err != nil {
					return err
				}
				r.shown = "POST"
				_, err = o.converse(ctx, c, s, r, 3)
				return plainCause(err)
			})
		},
	}
}

// plainCause takes the place off an error that gets one again.
func plainCause(err error) error {
	if d, ok := err.(*lua.Diagnostic); ok {
		return fmt.Errorf("%s", d.Message)
	}
	return err
}

func mailFunc(o *outside) lua.Func {
	return lua.Func{
		Name: "mail", Effect: lua.Durable, Returns: "boolean",
		Doc: "Sends a mail by SMTP. The connection is encrypted by STARTTLS unless starttls says otherwise, and a password never goes over one that is not.",
		Params: append([]lua.Param{
			{Name: "server", Type: lua.String, Doc: "Mail server, HOST or HOST:PORT. Default port: 587, with tls 465."},
			{Name: "from", Type: lua.String, Doc: "Sender, such as \"drrun@example.com\" or \"drrun <drrun@example.com>\"."},
			{Name: "to", Type: lua.List(lua.String), Doc: "Receivers."},
			{Name: "subject", Type: lua.String, Doc: "Subject."},
			{Name: "body", Type: lua.String, Doc: "The message, plain text."},
			{Name: "user", Type: lua.String, Optional: true, Doc: "User, with password."},
			{Name: "password", Type: lua.SecretT, Optional: true, Doc: "Its password, as dr.secret."},
			{Name: "starttls", Type: lua.Enum("required", "if_offered", "never"), Default: "required", Doc: "Whether the connection must be encrypted."},
			{Name: "tls", Type: lua.Bool, Default: false, Doc: "Encrypted from the first byte, instead of by STARTTLS."},
			{Name: "timeout", Type: lua.Duration, Default: "30s", Doc: "How long it may take."},
			requiredParam, onCutParam,
		}, tlsParams()...),
		Run: func(c *lua.Call) (any, error) {
			m, err := mailOf(c)
			if err != nil {
				return nil, err
			}
			args := map[string]any{"server": c.String("server"), "from": c.String("from"), "to": c.Value("to"), "subject": c.String("subject"), "body": c.String("body"), "user": c.String("user"), "password": c.Value("password")}
			return o.notify(c, "notify.mail to "+strings.Join(m.to, ", ")+" by "+c.String("server"), args, func(ctx context.Context, s *Session) error { return o.sendMail(ctx, c, s, m) })
		},
	}
}

// letter is a mail before it is written.
type letter struct {
	host, address string
	from          *mail.Address
	to            []string
	subject, body string
}

func mailOf(c *lua.Call) (*letter, error) {
	m := &letter{subject: c.String("subject"), body: c.String("body"), host: c.String("server"), address: c.String("server")}
	if host, _, err := net.SplitHostPort(m.address); err == nil {
		m.host = host
	} else {
		m.address = net.JoinHostPort(m.host, map[bool]string{true: "465", false: "587"}[c.Bool("tls")])
	}
	var err error
	if m.from, err = mail.ParseAddress(c.String("from")); err != nil {
		return nil, c.Errorf("bad-argument", "from", "%q is no mail address", c.String("from"))
	}
	for i, to := range c.List("to") {
		address, err := mail.ParseAddress(to.(string))
		if err != nil {
			return nil, c.ErrorAt(c.At("to", i+1), "bad-argument", "%q is no mail address", to)
		}
		m.to = append(m.to, address.Address)
	}
	if len(m.to) == 0 {
		return nil, c.Errorf("bad-argument", "to", "the mail has no receiver")
	}
	if c.Has("user") != c.Has("password") {
		return nil, c.Errorf("bad-argument", "", "give user and password, or neither")
	}
	return m, nil
}

// text writes the mail with its headers.
func (m *letter) text(now time.Time, id string) []byte {
	var b strings.Builder
	for _, header := range [][2]string{
		{"From", m.from.String()}, {"To", strings.Join(m.to, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(m.subject), " "))},
		{"Date", now.Format(time.RFC1123Z)}, {"Message-ID", "<" + id + "@drrun>"}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(header[0] + ": " + header[1] + "\r\n")
	}
	b.WriteString("\r\n")
	body := quotedprintable.NewWriter(&b)
	_, _ = body.Write([]byte(strings.ReplaceAll(m.body, "\r\n", "\n"))) // into memory
	_ = body.Close()
	return []byte(b.String())
}

func (o *outside) sendMail(ctx context.Context, c *lua.Call, s *Session, m *letter) error {
	config, err := o.tlsConfig(c, s, m.host)
	if err != nil {
		return plainCause(err)
	}
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.address)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // Quit has said good-bye, or nothing was sent
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	defer stop()
	connection := plain
	if c.Bool("tls") {
		connection = tls.Client(plain, config)
	}
	client, err := smtp.NewClient(connection, m.host)
	if err != nil {
		return fmt.Errorf("greeting of the server: %w", err)
	}
	if err := startTLS(client, config, c); err != nil {
		return err
	}
	if given, has := c.Value("password").(*lua.Secret); has {
		password, err := o.disclosed.reveal(ctx, given)
		if err != nil {
			return err
		}
		if err := client.Auth(smtp.PlainAuth("", c.String("user"), password, m.host)); err != nil {
			return fmt.Errorf("log in as %s: %w", c.String("user"), err)
		}
	}
	if err := client.Mail(m.from.Address); err != nil {
		return fmt.Errorf("the sender %s: %w", m.from.Address, err)
	}
	for _, to := range m.to {
		if err := client.Rcpt(to); err != nil {
			return fmt.Errorf("the receiver %s: %w", to, err)
		}
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := data.Write(m.text(s.Env.Clock.Now(), s.Env.NewID())); err != nil {
		return err
	}
	if err := data.Close(); err != nil { // the server has taken it only now
		return err
	}
	_ = client.Quit() // it has the mail
	return nil
}

func startTLS(client *smtp.Client, config *tls.Config, c *lua.Call) error {
	if c.Bool("tls") || c.String("starttls") == "never" {
		return nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		if c.String("starttls") == "required" {
			return fmt.Errorf("the server offers no STARTTLS; with starttls = \"if_offered\" the mail would go over the network in clear")
		}
		return nil
	}
	if err := client.StartTLS(config); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	return nil
}

// severities and facilities of syslog, by number.
var (
	severities = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
)

func syslogFunc(o *outside) lua.Func {
	return lua.Func{
		Name: "syslog", Effect: lua.Durable, Returns: "boolean",
		Doc: "Sends a line to a log server (RFC 5424), with drrun as the application and the run's id as the process. By UDP nobody says whether it arrived.",
		Params: append([]lua.Param{
			{Name: "text", Type: lua.String, Doc: "The line."},
			{Name: "server", Type: lua.String, Doc: "Log server, HOST or HOST:PORT. Default port: 514, with tls 6514."},
			{Name: "protocol", Type: lua.Enum("udp", "tcp", "tls"), Default: "udp", Doc: "How it is sent."},
			{Name: "severity", Type: lua.Enum(severities...), Default: "notice", Doc: "Severity."},
			{Name: "facility", Type: lua.Enum(facilities...), Default: "daemon", Doc: "Facility."},
			{Name: "timeout", Type: lua.Duration, Default: "10s", Doc: "How long it may take."},
			requiredParam, onCutParam,
		}, tlsParams()...),
		Run: func(c *lua.Call) (any, error) {
			address, protocol := c.String("server"), c.String("protocol")
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				host = address
				address = net.JoinHostPort(host, map[bool]string{true: "6514", false: "514"}[protocol == "tls"])
			}
			args := map[string]any{"server": address, "protocol": protocol, "text": c.String("text"), "severity": c.String("severity"), "facility": c.String("facility")}
			return o.notify(c, "notify.syslog to "+address, args, func(ctx context.Context, s *Session) error {
				line := syslogLine(c, s)
				if protocol != "udp" {
					line = strconv.Itoa(len(line)) + " " + line // RFC 6587, RFC 5425: the length tells where a line ends
				}
				var config *tls.Config
				if protocol == "tls" {
					if config, err = o.tlsConfig(c, s, host); err != nil {
						return plainCause(err)
					}
				}
				return sendLine(ctx, map[bool]string{true: "udp", false: "tcp"}[protocol == "udp"], address, config, line)
			})
		},
	}
}

// syslogLine writes the line with its header: priority, version, time, host, application, process, message id and no structured data.
func syslogLine(c *lua.Call, s *Session) string {
	priority := slices.Index(facilities, c.String("facility"))*8 + slices.Index(severities, c.String("severity"))
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return fmt.Sprintf("<%d>1 %s %s drrun %s - - %s", priority, s.Env.Clock.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), host, s.Run.ID(), strings.Join(strings.Fields(c.String("text")), " "))
}

func sendLine(ctx context.Context, network, address string, config *tls.Config, line string) error {
	plain, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }() // what was written is on its way
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	defer stop()
	connection := plain
	if config != nil {
		secure := tls.Client(plain, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		defer func() { _ = secure.CloseWrite() }() // tells the server that the line is whole
		connection = secure
	}
	_, err = connection.Write([]byte(line))
	return err
}
