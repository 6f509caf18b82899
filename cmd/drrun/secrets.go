package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

const secretsHelp = `Keeps the secrets that plans name (dr.secret "NAME") in a file that is encrypted by age, so that no password has to stand in an
environment or in a file of its own.

The file is secrets.age in $XDG_CONFIG_HOME/drrun, else ~/.config/drrun, or where $DRRUN_SECRETS says. The key that opens it,
secrets.key beside it, is made by the first set; $DRRUN_SECRETS_KEY names it elsewhere. Whoever has both has the secrets: where the
file is copied or backed up, keep the key apart from it. The age command opens the file, too.

A secret is looked for in this order: $DRRUN_SECRET_NAME; the file that $DRRUN_SECRET_NAME_FILE names; the command in
$DRRUN_SECRET_NAME_COMMAND; the file that the plan names; this file; a prompt.

COMMANDS
set NAME    store a secret: its value is asked for, or read from standard input
list        the names of the secrets; no value is ever shown
rm NAME     take a secret out

EXAMPLES
drrun secrets set primary_password
pass show ovirt/primary | drrun secrets set primary_password
drrun secrets list
`

// secretName is what a secret can be called: what a variable can be made of.
var secretName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

func newSecretsCommand(inv *invocation) *cli.Command {
	set := &cli.Command{
		Name: "set", Usage: "store a secret", UsageText: "drrun secrets set NAME", Flags: []cli.Flag{jsonFlag()},
		Description: "Stores a secret in the encrypted file. Its value is asked for without being shown, or is standard input where that is no terminal; one line break at its end is not part of it.\n\n" +
			"EXAMPLES\ndrrun secrets set primary_password\npass show ovirt/primary | drrun secrets set primary_password\n",
		Action: func(c *cli.Context) error {
			given, err := exactly(c, []string{"drrun", "secrets", "set"}, "NAME")
			if err != nil {
				return err
			}
			inv.result = runSecretsSet(c.Context, given[0], inv)
			return nil
		},
	}
	list := &cli.Command{
		Name: "list", Usage: "the names of the secrets", UsageText: "drrun secrets list", Flags: []cli.Flag{jsonFlag()},
		Description: "Prints the names of the secrets in the encrypted file, one a line. No value is ever shown.\n\nEXAMPLES\ndrrun secrets list\n",
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "secrets", "list"}); err != nil {
				return err
			}
			inv.result = runSecretsList(inv)
			return nil
		},
	}
	remove := &cli.Command{
		Name: "rm", Usage: "take a secret out", UsageText: "drrun secrets rm NAME", Flags: []cli.Flag{jsonFlag()},
		Description: "Takes a secret out of the encrypted file.\n\nEXAMPLES\ndrrun secrets rm primary_password\n",
		Action: func(c *cli.Context) error {
			given, err := exactly(c, []string{"drrun", "secrets", "rm"}, "NAME")
			if err != nil {
				return err
			}
			inv.result = runSecretsRemove(given[0], inv)
			return nil
		},
	}
	return &cli.Command{
		Name: "secrets", Usage: "keep the passwords of plans in an encrypted file", UsageText: "drrun secrets COMMAND", Description: secretsHelp,
		Subcommands: []*cli.Command{set, list, remove}, Flags: []cli.Flag{jsonFlag()},
		Action: func(*cli.Context) error {
			return usage("drrun secrets needs a command: set, list or rm").of([]string{"drrun", "secrets"})
		},
	}
}

func runSecretsSet(ctx context.Context, name string, inv *invocation) *runner.Result {
	if !secretName.MatchString(name) {
		return usage("%q is no name of a secret: letters, digits, _, - and dots", name).of([]string{"drrun", "secrets", "set"}).result()
	}
	value, err := inv.readNewSecret(ctx, name)
	if err != nil {
		return secretsFailure(fmt.Errorf("store the secret %q: %w; nothing was changed", name, err))
	}
	store := inv.env.secretStore(inv.env.wall().FS)
	replaced := false
	err = store.change(func(secrets map[string]string) error {
		_, replaced = secrets[name]
		secrets[name] = value
		return nil
	})
	if err != nil {
		return secretsFailure(fmt.Errorf("store the secret %q: %w", name, err))
	}
	verb := "stored"
	if replaced {
		verb = "replaced"
	}
	if !inv.json {
		inv.screen.out(fmt.Sprintf("%s %s in %s (the key is %s)\n", verb, name, store.file, store.key))
	}
	return withExtra(done("secrets set"), "secret", map[string]any{"name": name, "replaced": replaced, "file": store.file, "key": store.key})
}

// readNewSecret asks at the terminal, or reads standard input to its end.
func (inv *invocation) readNewSecret(ctx context.Context, name string) (string, error) {
	value := ""
	if inv.env.interactive() {
		asker := &asker{env: inv.env, screen: inv.screen, model: inv.env.wall()}
		var err error
		if value, err = asker.secret(ctx, fmt.Sprintf("Value of %q: ", name)); err != nil {
			return "", err
		}
		again, err := asker.secret(ctx, "Once more: ")
		if err != nil {
			return "", err
		}
		if again != value {
			return "", errors.New("the two values differ")
		}
	} else {
		text, err := io.ReadAll(io.LimitReader(inv.env.Stdin, 1<<20))
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		value = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	}
	if value == "" {
		return "", errors.New("the value is empty")
	}
	return value, nil
}

func runSecretsList(inv *invocation) *runner.Result {
	names, err := inv.env.secretStore(inv.env.wall().FS).names()
	if err != nil {
		return secretsFailure(err)
	}
	if !inv.json {
		for _, name := range names {
			inv.screen.out(name + "\n")
		}
	}
	return withExtra(done("secrets list"), "secrets", append([]string{}, names...))
}

func runSecretsRemove(name string, inv *invocation) *runner.Result {
	store := inv.env.secretStore(inv.env.wall().FS)
	err := store.change(func(secrets map[string]string) error {
		if _, there := secrets[name]; !there {
			return fmt.Errorf("%s holds none of that name", store.file)
		}
		delete(secrets, name)
		return nil
	})
	if err != nil {
		return secretsFailure(fmt.Errorf("take out the secret %q: %w", name, err))
	}
	if !inv.json {
		inv.screen.out("took out " + name + "\n")
	}
	return done("secrets rm")
}

func secretsFailure(err error) *runner.Result {
	hint := "drrun secrets list shows what there is"
	if errors.Is(err, errNoSecretsKey) {
		hint = "name the key by " + secretsKeyVariable + ", or move the file away and store the secrets anew"
	}
	return failure(runner.ExitRefused, runner.StatusRefused, "secrets", err, hint)
}
