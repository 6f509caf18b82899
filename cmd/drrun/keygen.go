package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans/runner"
)

type keygenOptions struct {
	Out  string // folder; "" means the folder of the configuration
	JSON bool
}

const keygenHelp = `Makes a pair of Ed25519 keys. From then on every run is sealed when it ends: drrun verify detects each edit to its journal, plan and
report, also an end that was cut off.

The private key, signing.key, belongs to the account that runs drrun, and to nobody who may want to change a journal. It is found in
$XDG_CONFIG_HOME/drrun, else ~/.config/drrun, or where $DRRUN_SIGNING_KEY says. Give the public key, signing.pub, to whoever is to
verify runs, keep a copy of it elsewhere, and write its fingerprint down. A lost private key loses nothing but the means to seal: make
a new pair; what the old one sealed is verified with its public key.

Keys that are there already are never replaced.

EXAMPLES
drrun keygen
drrun keygen -o /etc/drrun
`

func newKeygenCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "keygen", Usage: "make the key that seals runs", UsageText: "drrun keygen [flags]", Description: keygenHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` for both keys; default: $XDG_CONFIG_HOME/drrun, else ~/.config/drrun"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "keygen"}); err != nil {
				return err
			}
			inv.result = runKeygen(keygenOptions{Out: c.String("out"), JSON: inv.json}, inv)
			return nil
		},
	}
}

func runKeygen(o keygenOptions, inv *invocation) *runner.Result {
	dir := o.Out
	if dir == "" {
		dir = inv.env.configDir()
	}
	if dir == "" {
		return usage("there is no place for keys: HOME is not set").hinted("drrun keygen -o DIR").of([]string{"drrun", "keygen"}).result()
	}
	dir, err := filepath.Abs(dir) // the key is named to a shell that may be elsewhere
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "key", fmt.Errorf("make keys in %s: %w", o.Out, err), "give the whole path: drrun keygen -o /DIR")
	}
	files := inv.env.wall().FS
	private, public := filepath.Join(dir, privateKeyName), filepath.Join(dir, publicKeyName)
	for _, path := range []string{private, public} {
		if _, err := files.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			if err == nil {
				err = errors.New("it is there already, and a key is never replaced")
			}
			return failure(runner.ExitRefused, runner.StatusRefused, "key-exists", fmt.Errorf("make keys: %s: %w", path, err),
				"use that one, move it away, or make others elsewhere: drrun keygen -o DIR")
		}
	}
	key, err := writeKeys(files, private, public)
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "key", fmt.Errorf("make keys: %w", err), "the folder must be writable: "+dir)
	}
	fingerprint := engine.Fingerprint(key)
	if !o.JSON {
		inv.screen.out(fmt.Sprintf("private key  %s (runs are sealed with it; keep it secret)\npublic key   %s (for whoever verifies runs)\nfingerprint  %s\n", private, public, fingerprint))
		if found, _ := inv.env.signingKeyFile(); found != private {
			inv.screen.out(fmt.Sprintf("next: export %s=%s, where drrun runs\n", signingKeyVariable, shellWord(private)))
		}
	}
	return withExtra(done("keygen"), "key", map[string]string{"private": private, "public": public, "fingerprint": fingerprint})
}

func writeKeys(files engine.FS, private, public string) (ed25519.PublicKey, error) {
	open, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	secretDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, err
	}
	openDER, err := x509.MarshalPKIXPublicKey(open)
	if err != nil {
		return nil, err
	}
	if err := files.MkdirAll(filepath.Dir(private)); err != nil {
		return nil, err
	}
	if err := files.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: secretDER}), 0o600); err != nil {
		return nil, err
	}
	if err := files.WriteFile(public, pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: openDER}), 0o644); err != nil {
		return nil, errors.Join(err, files.Remove(private)) // half a pair would keep the next one from being made
	}
	return open, nil
}
