package stdlib

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"drrun/lua"
)

// tlsParams are the parameters of everything that speaks TLS.
func tlsParams() []lua.Param {
	return []lua.Param{
		{Name: "ca_file", Type: lua.String, Optional: true, Doc: "CA certificates (PEM) to trust instead of those that this machine trusts; a relative path starts in the plan's folder."},
		{Name: "server_name", Type: lua.String, Optional: true, Doc: "Name that the certificate must hold. Default: the host."},
		{Name: "cert_file", Type: lua.String, Optional: true, Doc: "Certificate (PEM) to show to the server, with key_file."},
		{Name: "key_file", Type: lua.String, Optional: true, Doc: "Its key (PEM, not encrypted)."},
		{Name: "insecure", Type: lua.Bool, Default: false, Doc: "Do not verify the server's certificate."},
	}
}

// file reads a file that a parameter names; a relative path starts in the plan's folder.
func (o *outside) file(c *lua.Call, s *Session, param string) ([]byte, error) {
	place := c.String(param)
	if !filepath.IsAbs(place) {
		place = filepath.Join(o.Folder, place)
	}
	text, err := s.Env.FS.ReadFile(place)
	if err != nil {
		return nil, c.Errorf("no-file", param, "%s: %v", param, err)
	}
	return text, nil
}

// tlsConfig makes what tlsParams ask for.
func (o *outside) tlsConfig(c *lua.Call, s *Session, host string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, InsecureSkipVerify: c.Bool("insecure"), MinVersion: tls.VersionTLS12}
	if c.Has("server_name") {
		config.ServerName = c.String("server_name")
	}
	if c.Has("ca_file") {
		text, err := o.file(c, s, "ca_file")
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, c.Errorf("bad-argument", "ca_file", "%q holds no certificate (PEM)", c.String("ca_file"))
		}
	}
	if c.Has("cert_file") != c.Has("key_file") {
		return nil, c.Errorf("bad-argument", "", "cert_file and key_file belong together")
	}
	if c.Has("cert_file") {
		certificate, err := o.file(c, s, "cert_file")
		if err != nil {
			return nil, err
		}
		key, err := o.file(c, s, "key_file")
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, c.Errorf("bad-argument", "cert_file", "read the certificate %q with the key %q: %v", c.String("cert_file"), c.String("key_file"), err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// tcpModule declares the module tcp.
func tcpModule(o *outside) lua.Module {
	params := append([]lua.Param{
		{Name: "host", Type: lua.String, Positional: true, Doc: "Name or address."},
		{Name: "port", Type: lua.Integer, Positional: true, Doc: "Port, 1 to 65535."},
		{Name: "timeout", Type: lua.Duration, Default: "5s", Doc: "How long it may take in all."},
		{Name: "tls", Type: lua.Bool, Default: false, Doc: "Shake hands by TLS, too, and verify the certificate."},
	}, tlsParams()...)
	return lua.Module{
		Name:    "tcp",
		Records: []lua.Record{lua.NewRecord("tcp_probe", "Whether a connection could be made.", "open boolean | It could.", "seconds number | How long that took.", "address string | The address that was reached.", "error? string | Why it could not.")},
		Doc:     "Whether something listens.",
		Funcs: []lua.Func{
			{
				Name: "open", Effect: lua.Observes, Returns: "boolean", Params: params,
				Doc: "Whether a connection can be made; it is closed at once. As a boot condition: boot = function(ctx, vm) return tcp.open(\"10.1.0.10\", 5432) end.",
				Run: func(c *lua.Call) (any, error) {
					found, err := o.connect(c)
					if err != nil {
						return nil, err
					}
					return found["open"], nil
				},
			},
			{
				Name: "probe", Effect: lua.Observes, Returns: "tcp_probe", Params: params,
				Doc: "Makes a connection and tells of it: open, seconds, address (that was reached), error (why it is not open).",
				Run: func(c *lua.Call) (any, error) {
					found, err := o.connect(c)
					return found, err
				},
			},
		},
	}
}

// connect looks whether something listens. That nothing does is a finding, no error.
func (o *outside) connect(c *lua.Call) (map[string]any, error) {
	port := c.Int("port")
	if port < 1 || port > 65535 {
		return nil, c.Errorf("bad-argument", "port", "a port is 1 to 65535, not %d", port)
	}
	host := c.String("host")
	found, err := o.observe(c, func(ctx context.Context, s *Session) (any, error) {
		var config *tls.Config
		if c.Bool("tls") {
			var err error
			if config, err = o.tlsConfig(c, s, host); err != nil {
				return nil, err
			}
		}
		begun := s.Env.Clock.Now()
		address, err := dialOnce(ctx, net.JoinHostPort(host, strconv.Itoa(port)), config)
		if c.Ctx.Err() != nil {
			return nil, context.Cause(c.Ctx)
		}
		found := map[string]any{"open": err == nil, "seconds": s.Env.Clock.Now().Sub(begun).Seconds(), "address": address}
		if err != nil {
			found["error"] = inTime(ctx, c.Duration("timeout"), err).Error()
		}
		return found, nil
	})
	table, _ := found.(map[string]any)
	return table, err
}

// dialOnce makes a connection, with TLS where config is given, and closes it. It returns the address that it reached, "" for none.
func dialOnce(ctx context.Context, address string, config *tls.Config) (reached string, err error) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = connection.Close() }() // nothing was said that could be lost
	reached = connection.RemoteAddr().String()
	if config == nil {
		return reached, nil
	}
	if err := tls.Client(connection, config).HandshakeContext(ctx); err != nil {
		return reached, fmt.Errorf("TLS with %s: %w", address, err)
	}
	return reached, nil
}

// inTime says of an error that came because the time was over how long that was.
func inTime(ctx context.Context, timeout time.Duration, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", timeout)
	}
	return err
}
