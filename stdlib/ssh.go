package stdlib

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"drrun/lua"
)

// sshModule declares the module ssh.
func sshModule(o *outside) lua.Module {
	return lua.Module{
		Name:    "ssh",
		Records: []lua.Record{commandResult},
		Doc: "Commands on other machines, such as an array or a load balancer, by SSH. The key of the host must stand in known_hosts: that is always checked, and nothing turns it off. " +
			"No configuration file of OpenSSH is read.",
		Funcs: []lua.Func{{
			Name: "run", Effect: lua.Durable, Returns: "command_result",
			Doc: "Runs a command and waits for it. Returns { code =, stdout =, stderr =, seconds =, truncated = }. Raises ssh-failed when the host cannot be reached, is not known, or lets nobody in, " +
				"and exec-failed when the command ends with a code that is not in ok, or not in time: then the connection is cut, which ends most commands, but not all. A change, unless observe is true.",
			Params: []lua.Param{
				{Name: "host", Type: lua.String, Doc: "Name or address."},
				{Name: "command", Type: lua.String, Doc: "The command, as the host's shell or command line reads it; ssh.quote makes one word of a text. Everybody on the host can read it: secrets go by stdin."},
				{Name: "user", Type: lua.String, Doc: "User to log in as."},
				{Name: "port", Type: lua.Integer, Default: 22.0, Doc: "Port."},
				{Name: "key_file", Type: lua.String, Optional: true, Doc: "Private key (OpenSSH or PEM); a relative path starts in the plan's folder."},
				{Name: "key", Type: lua.SecretT, Optional: true, Doc: "The private key itself, as dr.secret."},
				{Name: "passphrase", Type: lua.SecretT, Optional: true, Doc: "What opens the key, as dr.secret."},
				{Name: "password", Type: lua.SecretT, Optional: true, Doc: "Password, as dr.secret; also answers a single question of keyboard-interactive."},
				{Name: "agent", Type: lua.Bool, Optional: true, Doc: "Offer the keys of the agent (SSH_AUTH_SOCK). Default: where neither key nor password is given."},
				{Name: "known_hosts", Type: lua.String, Optional: true, Doc: "File with the keys of hosts; a relative path starts in the plan's folder. Default: known_hosts in the plan's folder, else ~/.ssh/known_hosts."},
				{Name: "stdin", Type: textOrSecret(), Optional: true, Doc: "What the command reads. Default: nothing."},
				{Name: "timeout", Type: lua.Duration, Default: "1m", Doc: "How long it may take in all."},
				{Name: "observe", Type: lua.Bool, Default: false, Doc: "It changes nothing: it is not recorded, a resumed run and a dry run run it, and boot conditions may."},
				okParam, outputParam, onCutParam,
			},
			Run: func(c *lua.Call) (any, error) {
				if port := c.Int("port"); port < 1 || port > 65535 {
					return nil, c.Errorf("bad-argument", "port", "a port is 1 to 65535, not %d", port)
				}
				if c.Has("key") && c.Has("key_file") {
					return nil, c.Errorf("bad-argument", "key", "give either key or key_file")
				}
				shown := strings.Join(strings.Fields(c.String("command")), " ")
				if shown == "" {
					return nil, c.Errorf("bad-argument", "command", "the command is empty")
				}
				if letters := []rune(shown); len(letters) > maxShown {
					shown = string(letters[:maxShown]) + "…"
				}
				login := c.String("user") + "@" + c.String("host")
				run := func(ctx context.Context, _ bool) (any, error) { return o.runRemote(ctx, c, login, shown) }
				if c.Bool("observe") {
					return o.observe(c, func(ctx context.Context, _ *Session) (any, error) { return run(ctx, false) })
				}
				return o.change(c, change{
					name: "ssh " + login + " " + shown, timeout: c.Duration("timeout"), do: run,
					args:    map[string]any{"host": c.String("host"), "port": c.Number("port"), "user": c.String("user"), "command": c.String("command"), "stdin": named(c.Value("stdin"))},
					assumed: map[string]any{"code": 0.0, "stdout": "", "stderr": "", "seconds": 0.0, "truncated": false},
				})
			},
		}, {
			Name: "quote", Effect: lua.Pure, Returns: "string",
			Doc:    "Makes one word of a text for a POSIX shell on the other side: ssh.quote(\"it's\").",
			Params: []lua.Param{{Name: "text", Type: lua.String, Positional: true, Doc: "The text."}},
			Run: func(c *lua.Call) (any, error) {
				return "'" + strings.ReplaceAll(c.String("text"), "'", `'\''`) + "'", nil
			},
		}},
	}
}

// runRemote runs the command of a call on its host.
func (o *outside) runRemote(ctx context.Context, c *lua.Call, login, shown string) (any, error) {
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	input, err := o.disclosed.reveal(ctx, c.Value("stdin"))
	if err != nil {
		return nil, err
	}
	begun := s.Env.Clock.Now()
	fail := func(hint string, err error) (any, error) {
		if c.Lua.Err() != nil {
			err = errors.New("given up, because the run or the hook around it was cancelled")
		}
		d := c.Errorf("ssh-failed", "", "log in as %s: %s (%s); the command was not run", login, o.disclosed.mask(inTime(ctx, c.Duration("timeout"), err).Error()), s.Env.Clock.Now().Sub(begun).Round(time.Millisecond))
		d.Hint, d.Retryable = hint, hint == ""
		d.Err = maskedError(o.disclosed.mask, err)
		return nil, d
	}
	config, closeAgent, err := o.sshConfig(ctx, c, s)
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	client, err := dialSSH(ctx, net.JoinHostPort(c.String("host"), strconv.Itoa(c.Int("port"))), config)
	if err != nil {
		return fail(sshHint(err, c), err)
	}
	defer func() { _ = client.Close() }() // the command has ended, or is given up
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	session, err := client.NewSession()
	if err != nil {
		return fail("", err)
	}
	limit := int(min(max(c.Size("max_output"), 1), 1<<20))
	stdout, stderr := &captured{limit: limit}, &captured{limit: limit}
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader(input), stdout, stderr
	end := ended{what: "run " + shown + " on " + c.String("host"), err: session.Run(c.String("command")), cut: "its connection was cut"}
	end.took = s.Env.Clock.Now().Sub(begun)
	var code *ssh.ExitError
	switch {
	case errors.As(end.err, &code) && code.Signal() == "":
		end.code = code.ExitStatus()
	case end.err != nil:
		end.code = -1
	}
	return o.programEnd(ctx, c, end, stdout, stderr)
}

// dialSSH connects and logs in.
func dialSSH(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	plain, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	defer stop()
	connection, channels, requests, err := ssh.NewClientConn(plain, address, config)
	if err != nil {
		_ = plain.Close() // it is of no use
		return nil, err
	}
	return ssh.NewClient(connection, channels, requests), nil
}

// sshHint says what can be done about a login that failed; "" where another try may go better.
func sshHint(err error, c *lua.Call) string {
	var unknown *knownhosts.KeyError
	host := knownhosts.Normalize(net.JoinHostPort(c.String("host"), strconv.Itoa(c.Int("port"))))
	switch {
	case errors.As(err, &unknown) && len(unknown.Want) > 0:
		return "the host has another key than known_hosts says: somebody may stand in between. When the host was replaced on purpose, take its old line out"
	case errors.As(err, &unknown):
		return fmt.Sprintf("compare the key with the one that the administrators of the host know, then add its line: ssh-keyscan -p %d %s", c.Int("port"), strings.Trim(strings.Split(host, "]")[0], "["))
	case strings.Contains(err.Error(), "unable to authenticate"):
		return "see that the key or the password is the right one, and that the host takes it for this user"
	}
	return ""
}

// sshConfig collects how to log in, and which keys of hosts are known.
func (o *outside) sshConfig(ctx context.Context, c *lua.Call, s *Session) (*ssh.ClientConfig, func(), error) {
	closeAgent := func() {}
	check, err := o.knownHosts(c, s)
	if err != nil {
		return nil, nil, err
	}
	address := net.JoinHostPort(c.String("host"), strconv.Itoa(c.Int("port")))
	config := &ssh.ClientConfig{User: c.String("user"), HostKeyCallback: check, HostKeyAlgorithms: knownAlgorithms(check, address)}
	signer, err := o.sshKey(ctx, c, s)
	if err != nil {
		return nil, nil, err
	}
	if signer != nil {
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if given, has := c.Value("password").(*lua.Secret); has {
		password, err := o.disclosed.reveal(ctx, given)
		if err != nil {
			return nil, nil, err
		}
		config.Auth = append(config.Auth, ssh.Password(password), ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			if len(questions) > 1 {
				return nil, fmt.Errorf("the host asks %d questions, and there is one password", len(questions))
			}
			return slices.Repeat([]string{password}, len(questions)), nil
		}))
	}
	if wanted := c.Has("agent") && c.Bool("agent"); wanted || len(config.Auth) == 0 && !c.Has("agent") {
		socket := ""
		if o.Getenv != nil {
			socket, _ = o.Getenv("SSH_AUTH_SOCK")
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if socket == "" || err != nil {
			d := c.Errorf("ssh-failed", "", "log in as %s@%s: there is no agent to ask for keys (SSH_AUTH_SOCK)", c.String("user"), c.String("host"))
			d.Hint = "start one, or give key_file, key or password"
			return nil, nil, d
		}
		closeAgent = func() { _ = connection.Close() }
		config.Auth = append(config.Auth, ssh.PublicKeysCallback(agent.NewClient(connection).Signers))
	}
	return config, closeAgent, nil
}

// sshKey reads the private key of a call; nil where it has none.
func (o *outside) sshKey(ctx context.Context, c *lua.Call, s *Session) (ssh.Signer, error) {
	var text []byte
	name := "key"
	switch secret, has := c.Value("key").(*lua.Secret); {
	case has:
		value, err := secret.Reveal(ctx) // as a whole it goes nowhere
		if err != nil {
			return nil, err
		}
		text = []byte(strings.TrimSpace(value) + "\n")
	case c.Has("key_file"):
		name = "key_file"
		var err error
		if text, err = o.file(c, s, "key_file"); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	signer, err := ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		given, has := c.Value("passphrase").(*lua.Secret)
		if !has {
			d := c.Errorf("bad-argument", name, "the private key is locked by a passphrase")
			d.Hint = "give passphrase = dr.secret \"NAME\""
			return nil, d
		}
		passphrase, revealErr := o.disclosed.reveal(ctx, given)
		if revealErr != nil {
			return nil, revealErr
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	}
	if err != nil {
		return nil, c.Errorf("bad-argument", name, "read the private key: %v", err)
	}
	return signer, nil
}

// knownHosts returns the check of host keys by the file that a call goes by.
func (o *outside) knownHosts(c *lua.Call, s *Session) (ssh.HostKeyCallback, error) {
	var file string
	var err error
	candidates := []string{filepath.Join(o.Folder, "known_hosts")}
	if c.Has("known_hosts") {
		candidates[0] = c.String("known_hosts")
		if !filepath.IsAbs(candidates[0]) {
			candidates[0] = filepath.Join(o.Folder, candidates[0])
		}
	} else if home, homeErr := os.UserHomeDir(); homeErr == nil {
		candidates = append(candidates, filepath.Join(home, ".ssh", "known_hosts"))
	}
	for _, file = range candidates {
		if _, err = s.Env.FS.Stat(file); err == nil {
			break
		}
	}
	if err != nil {
		d := c.Errorf("ssh-failed", "", "log in as %s@%s: the key of the host cannot be checked: there is no %s", c.String("user"), c.String("host"), strings.Join(candidates, ", and no "))
		d.Hint = "write the host's key into known_hosts beside the plan, as ssh-keyscan prints it, once you have compared it"
		return nil, d
	}
	check, err := knownhosts.New(file)
	if err != nil {
		return nil, c.Errorf("ssh-failed", "", "read the keys of hosts in %s: %v", file, err)
	}
	return check, nil
}

// knownAlgorithms are the algorithms of the keys that known_hosts has of a host, so that the host shows one of those and not another that
// it has as well; nil where it has none.
func knownAlgorithms(check ssh.HostKeyCallback, address string) []string {
	var unknown *knownhosts.KeyError
	if err := check(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{}); !errors.As(err, &unknown) {
		return nil
	}
	found := map[string]bool{}
	for _, known := range unknown.Want {
		if kind := known.Key.Type(); kind == ssh.KeyAlgoRSA {
			found[ssh.KeyAlgoRSASHA256], found[ssh.KeyAlgoRSASHA512] = true, true
		} else {
			found[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
