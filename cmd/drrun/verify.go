package main

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans/runner"
)

type verifyOptions struct {
	Run    string // id, prefix, or a folder
	Keys   []string
	State  string
	Sealed bool // anything but sealed is an error
	JSON   bool
}

const verifyHelp = `Tells whether the journal of a run, the plan's text and the report are as drrun wrote them. It asks no engine and changes nothing.

  sealed              signed by a trusted key: every edit would have been detected. Compare the attempt that it names with what you know:
                      a whole older copy, with the seal of then, is sealed too
  open                no trusted key signed all of it. A change, removal or reordering inside would have been detected; an end that was
                      cut off or extended would not, nor a journal whose chain was computed anew
  broken at record N  it was changed, or is damaged, from that record on; broken: FILE, where it is a report or the seal, also one by
                      a key that is not trusted

Keys that are trusted: those of --key, else signing.pub beside the key that seals runs here (drrun keygen), else that key itself.
Exit code 0: sealed or open; 3: broken, and with --sealed also open.

RUN is the id that the run printed, or the beginning of it, or a folder that holds a copy of a run.

EXAMPLES
drrun verify 20261120-0312-3f9a2c
drrun verify ./audit/20261120-0312-3f9a2c --key signing.pub --sealed
drrun verify 20261120 --json | jq -r .extra.verification.state
`

func newVerifyCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "was the journal of a run changed?", UsageText: "drrun verify RUN [flags]", Description: verifyHelp,
		Flags: []cli.Flag{
			listFlag("key", "`FILE` with a public key that is trusted; can be given several times"),
			&cli.BoolFlag{Name: "sealed", Usage: "fail unless it is sealed"},
			stateFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "verify"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runVerify(verifyOptions{Run: args[0], Keys: listOf(c, "key"), State: c.String("state"), Sealed: c.Bool("sealed"), JSON: inv.json}, inv)
			return nil
		},
	}
}

func runVerify(o verifyOptions, inv *invocation) *runner.Result {
	model := inv.env.wall()
	dir, problem := runFolder(o, inv, model)
	if problem != nil {
		return problem
	}
	trusted, problem := trustedKeys(o.Keys, inv.env, model.FS)
	if problem != nil {
		return problem
	}
	found, err := engine.Verify(model, dir, trusted...)
	if err != nil {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs; a folder must hold a journal.jsonl")
	}
	id := cmp.Or(found.Run, filepath.Base(dir))
	if !o.JSON {
		inv.screen.out(verificationText(id, found))
	}
	result := done("verify")
	if found.State == engine.VerifiedBroken || o.Sealed && found.State == engine.VerifiedOpen {
		result = failure(runner.ExitRefused, runner.StatusRefused, "not-sealed", fmt.Errorf("run %s is %s", id, stateWords(found)),
			"what really happened stands in the events of both engines, whose correlation ids begin with "+id)
		if found.State == engine.VerifiedOpen {
			result.Error.Hint = "the next run is sealed when there is a key: drrun keygen"
		}
		if found.State == engine.VerifiedBroken {
			result.Error.Code = "journal-broken"
		}
	}
	result.Run = id
	return withExtra(result, "verification", found)
}

// runFolder finds the folder of a run.
func runFolder(o verifyOptions, inv *invocation, model engine.Env) (string, *runner.Result) {
	if strings.ContainsRune(o.Run, filepath.Separator) {
		return filepath.Clean(o.Run), nil
	}
	state, problem := inv.env.stateDir(o.State)
	if problem != nil {
		return "", problem.of([]string{"drrun", "verify"}).result()
	}
	dir, err := engine.FindRun(model, state, o.Run)
	if err != nil {
		return "", failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs")
	}
	return dir, nil
}

// trustedKeys reads the public keys of files, or, where none is named, the one that belongs to the key that seals runs here.
func trustedKeys(named []string, env Env, files engine.FS) ([]ed25519.PublicKey, *runner.Result) {
	var keys []ed25519.PublicKey
	for _, path := range named {
		text, err := files.ReadFile(path)
		if err != nil {
			return nil, unreadable("--key", path, err)
		}
		key, err := parsePublicKey(text)
		if err != nil {
			return nil, usage("--key: %s: %v", path, err).hinted("give the signing.pub that drrun keygen wrote").result()
		}
		keys = append(keys, key)
	}
	if len(named) > 0 {
		return keys, nil
	}
	private, _ := env.signingKeyFile()
	if private == "" {
		return nil, nil
	}
	public := filepath.Join(filepath.Dir(private), publicKeyName)
	text, err := files.ReadFile(public)
	if errors.Is(err, fs.ErrNotExist) {
		if signer, _ := env.signer(files); signer != nil {
			keys = append(keys, signer.Public().(ed25519.PublicKey))
		}
		return keys, nil
	}
	if err != nil {
		return nil, unreadable("the public key", public, err)
	}
	key, err := parsePublicKey(text)
	if err != nil {
		return nil, usage("the public key %s: %v", public, err).hinted("name the right one: --key FILE").result()
	}
	return []ed25519.PublicKey{key}, nil
}

func stateWords(v engine.Verification) string {
	switch {
	case v.State != engine.VerifiedBroken:
		return v.State
	case v.Record > 0:
		return fmt.Sprintf("broken at record %d", v.Record)
	}
	return "broken: " + v.File
}

func verificationText(id string, v engine.Verification) string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s: %s\n  %s\n", id, stateWords(v), v.Reason)
	rows := [][2]string{{"records", fmt.Sprint(v.Records)}, {"attempt", fmt.Sprintf("%d, %s", v.Attempt, cmp.Or(v.Ended, "without an end"))}, {"last", v.Last}, {"key", v.Fingerprint}}
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", row[0], row[1])
		}
	}
	return b.String()
}
