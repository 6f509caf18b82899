package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// siteFlags is how one site is given on the command line.
type siteFlags struct {
	URL, Username, CA string
	Insecure          bool
	Storage           string
}

type generateOptions struct {
	Name               string
	Primary, Secondary siteFlags
	ParamsFile         string
	Output             string
	Force              bool
	JSON               bool
}

const generateHelp = `Reads both engines and writes a plan for the storage domains that are named, with every VM on them, and beside it the
inventory: what ran where. It changes nothing at the sites.

A storage URL is nfs://HOST:/PATH, glusterfs://HOST:/VOLUME, posixfs://SERVERS:/PATH, fcp://DOMAIN_ID or
iscsi://DOMAIN_ID:/IP:PORT:/IQN, where DOMAIN_ID is what the primary's engine shows as the id of the storage domain; several
iscsi URLs of one id are its targets. Lists are separated by ';' and pair by domain id where there is one, else by position.
What drrun cannot know it writes as dr.todo; check names each one.

Passwords come from DRRUN_SECRET_PRIMARY_PASSWORD and DRRUN_SECRET_SECONDARY_PASSWORD, from the files named by these with
_FILE behind them, or from a prompt. They are not written anywhere.

EXAMPLES
drrun generate --name Plan_Recovery \
  --primary-url https://engine1.localdomain/ovirt-engine/api --primary-username admin@internal --primary-ca primary-ca.pem \
  --secondary-url https://engine2.localdomain/ovirt-engine/api --secondary-username admin@internal --secondary-ca secondary-ca.pem \
  --primary-storage nfs://192.168.122.210:/nfs_ds --secondary-storage nfs://192.168.122.210:/nfs_ds_replica -o plan.lua

--primary-storage 'iscsi://bcca8438-810f-4932-bf25-d874babd97b1:/10.0.0.1:3260:/iqn.2006-01.com.example:a' \
--secondary-storage 'iscsi://bcca8438-810f-4932-bf25-d874babd97b1:/10.1.0.1:3260:/iqn.2006-01.com.example:b'
`

func newGenerateCommand(inv *invocation) *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "name", Usage: "`NAME` of the plan"}}
	for _, site := range []string{plans.Primary, plans.Secondary} {
		flags = append(flags,
			&cli.StringFlag{Name: site + "-url", Usage: "`URL` of the " + site + " engine's API"},
			&cli.StringFlag{Name: site + "-username", Usage: "`USER` there, such as admin@internal"},
			&cli.StringFlag{Name: site + "-ca", Usage: "`FILE` with the engine's CA certificate; without it the system's are used"},
			&cli.BoolFlag{Name: site + "-insecure", Usage: "do not verify the engine's certificate"},
			&cli.StringFlag{Name: site + "-storage", Usage: "`URLS` of the storage domains there, separated by ';'"})
	}
	flags = append(flags,
		&cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object that becomes the plan's params"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "plan.lua", Usage: "`FILE` to write the plan to; default: plan.lua"},
		&cli.BoolFlag{Name: "force", Usage: "overwrite the plan and its inventory"},
		jsonFlag())
	return &cli.Command{
		Name: "generate", Usage: "write a plan from the live engines", UsageText: "drrun generate --name NAME [flags] -o PLAN.lua", Description: generateHelp, Flags: flags,
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "generate"}); err != nil {
				return err
			}
			site := func(name string) siteFlags {
				return siteFlags{
					URL: c.String(name + "-url"), Username: c.String(name + "-username"), CA: c.String(name + "-ca"),
					Insecure: c.Bool(name + "-insecure"), Storage: c.String(name + "-storage"),
				}
			}
			result := interrupted(c.Context, runGenerate(c.Context, generateOptions{
				Name: c.String("name"), Primary: site(plans.Primary), Secondary: site(plans.Secondary),
				ParamsFile: c.String("params"), Output: c.String("output"), Force: c.Bool("force"), JSON: inv.json,
			}, inv))
			if result.Error != nil && !inv.json {
				inv.screen.line(findingsText(result.Findings))
			}
			inv.result = result
			return nil
		},
	}
}

// missing names the flags that generate cannot do without.
func (o generateOptions) missing() *usageError {
	var names []string
	need := func(value, name string) {
		if value == "" {
			names = append(names, "--"+name)
		}
	}
	need(o.Name, "name")
	for _, site := range []struct {
		name  string
		flags siteFlags
	}{{plans.Primary, o.Primary}, {plans.Secondary, o.Secondary}} {
		need(site.flags.URL, site.name+"-url")
		need(site.flags.Username, site.name+"-username")
		need(site.flags.Storage, site.name+"-storage")
	}
	if len(names) == 0 {
		return nil
	}
	return usage("drrun generate needs %s", strings.Join(names, ", ")).of([]string{"drrun", "generate"})
}

func runGenerate(ctx context.Context, o generateOptions, inv *invocation) *runner.Result {
	if problem := o.missing(); problem != nil {
		return problem.result()
	}
	model, speed, problem := inv.env.model()
	if problem != nil {
		return problem.result()
	}
	var params []byte
	if o.ParamsFile != "" {
		var err error
		if params, err = model.FS.ReadFile(o.ParamsFile); err != nil {
			return unreadable("--params", o.ParamsFile, err)
		}
	}
	if refused := refuseOverwrite(model, o); refused != nil {
		return refused
	}
	// Lists that do not fit are found before anybody is asked for a password.
	if err := checkStorage(o); err != nil {
		return generateFailure(err)
	}
	asker, problem := newAsker(inv, model, nil, false)
	if problem != nil {
		return problem.result()
	}
	result := done("generate")
	var sites [2]*ovirt.Site
	var specs [2]plans.SiteSpec
	for i, site := range []struct {
		name  string
		flags siteFlags
	}{{plans.Primary, o.Primary}, {plans.Secondary, o.Secondary}} {
		opened, refused := openSite(ctx, model, asker, speed, site.name, site.flags)
		if refused != nil {
			return refused
		}
		defer opened.Close(context.WithoutCancel(ctx))
		sites[i] = opened
		specs[i] = plans.SiteSpec{URL: site.flags.URL, Username: site.flags.Username, CAFile: site.flags.CA, Insecure: site.flags.Insecure}
	}
	made, err := plans.Generate(ctx, plans.GenerateOptions{
		Name: o.Name, File: o.Output, Primary: sites[0], Secondary: sites[1], PrimarySpec: specs[0], SecondarySpec: specs[1],
		PrimaryStorage: o.Primary.Storage, SecondaryStorage: o.Secondary.Storage, Params: params, Now: model.Clock.Now(),
	})
	if err != nil {
		return generateFailure(err)
	}
	if err := made.Save(model.FS, o.Output, o.Force); err != nil {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "output", err, "name another file with -o")
	}
	for _, site := range sites {
		counters := site.Counters()
		result.Requests[site.Name()] = runner.Counters{Writes: counters.Writes, Reads: counters.Reads, Polls: counters.Polls}
	}
	result.Plan, result.Findings = o.Name, append(result.Findings, made.Summary.Findings...)
	if !o.JSON {
		inv.screen.out(generateText(o, made))
	}
	return withExtra(withExtra(result, "summary", made.Summary), "files", []string{o.Output, plans.InventoryFile(o.Output)})
}

// checkStorage reads both lists of storage URLs.
func checkStorage(o generateOptions) error {
	var lists [2][]plans.StorageURL
	var wrong plans.StorageURLErrors
	for i, side := range []struct{ name, list string }{{plans.Primary, o.Primary.Storage}, {plans.Secondary, o.Secondary.Storage}} {
		var err error
		var some plans.StorageURLErrors
		if lists[i], err = plans.ParseStorageURLs(side.list); errors.As(err, &some) {
			for _, one := range some {
				one.Side = side.name
			}
			wrong = append(wrong, some...)
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	_, err := plans.PairStorage(lists[0], lists[1])
	return err
}

// refuseOverwrite refuses before the first request, not after minutes of reading.
func refuseOverwrite(model engine.Env, o generateOptions) *runner.Result {
	if o.Force {
		return nil
	}
	for _, file := range []string{o.Output, plans.InventoryFile(o.Output)} {
		_, err := model.FS.Stat(file)
		if err == nil {
			return failure(runner.ExitInvalid, runner.StatusInvalid, "exists", fmt.Errorf("%s exists already; nothing was written", file), "name another file with -o, or overwrite it with --force")
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return failure(runner.ExitInvalid, runner.StatusInvalid, "output", fmt.Errorf("look for %s: %w", file, err), "name another file with -o")
		}
	}
	return nil
}

func openSite(ctx context.Context, model engine.Env, a *asker, speed float64, name string, flags siteFlags) (*ovirt.Site, *runner.Result) {
	options := ovirt.Options{
		Name: name, URL: flags.URL, Username: flags.Username, CAFile: flags.CA, Insecure: flags.Insecure, Clock: model.Clock, Go: model.Go,
		OnWrite: func(context.Context, *ovirt.Write) (func(ovirt.WriteResult), error) {
			return nil, errors.New("generate changes nothing")
		},
	}
	if flags.CA != "" {
		var err error
		if options.CA, err = model.FS.ReadFile(flags.CA); err != nil {
			return nil, unreadable("--"+name+"-ca", flags.CA, err)
		}
	}
	// A URL that does not parse is found before a password is asked for.
	if _, err := ovirt.New(options); err != nil {
		return nil, failure(runner.ExitInvalid, runner.StatusInvalid, "usage", fmt.Errorf("--%s-url: %w", name, err), "write it like https://HOST/ovirt-engine/api")
	}
	password, err := a.resolver().Resolve(ctx, name+"_password", "", "")
	if err != nil {
		hint := ""
		if missing := (*plans.SecretError)(nil); errors.As(err, &missing) {
			hint = missing.Hint()
		}
		return nil, failure(runner.ExitInvalid, runner.StatusInvalid, "secret", err, hint)
	}
	options.Password = password
	site, err := ovirt.Open(ctx, options)
	if err != nil {
		return nil, engineFailure(err)
	}
	if speed == 1 {
		return site, nil
	}
	product, err := site.Product(ctx)
	if err != nil {
		return nil, engineFailure(err)
	}
	if !product.Lab {
		site.Close(context.WithoutCancel(ctx))
		return nil, failure(runner.ExitRefused, runner.StatusRefused, "not-the-lab",
			fmt.Errorf("DRRUN_SPEED=%g shortens every wait and is for the lab only; %s at %s is a real engine", speed, name, site.URL()), "unset DRRUN_SPEED")
	}
	return site, nil
}

// engineFailure is the result for an engine that did not do what was asked.
func engineFailure(err error) *runner.Result {
	result := failure(runner.ExitRefused, runner.StatusRefused, "internal", err, "")
	var fault *ovirt.Error
	if errors.As(err, &fault) {
		result.Error.Code, result.Error.Hint = string(fault.Code), fault.Hint
		result.Error.Site, result.Error.Object, result.Error.State = fault.Site, fault.Subject.Name, fault.State
	}
	return result
}

func generateFailure(err error) *runner.Result {
	var findings plans.FindingsError
	var urls plans.StorageURLErrors
	switch {
	case errors.As(err, &findings):
		result := failure(runner.ExitRefused, runner.StatusRefused, findings[0].Code, errors.New("the sites do not have what the flags name; nothing was written"), "correct the flags, then generate again")
		result.Findings = findings
		return result
	case errors.As(err, &urls):
		result := failure(runner.ExitInvalid, runner.StatusInvalid, urls[0].Code, errors.New("the storage lists cannot be used; nothing was written"), "correct them; drrun generate --help shows the form")
		for _, one := range urls {
			result.Findings = append(result.Findings, storageFinding(one))
		}
		return result
	case errors.As(err, new(*ovirt.Error)):
		return engineFailure(err)
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "generate", err, "")
}

// storageFinding shows an entry of a storage list as a line of the flag that holds it.
func storageFinding(e *plans.StorageURLError) plans.Finding {
	finding := plans.Finding{Scope: plans.ScopeRun, Site: e.Side, Diagnostic: lua.Diagnostic{
		Severity: plans.SeverityError, Code: e.Code, Message: e.Message, Hint: e.Hint, Pos: lua.Pos{File: "--" + e.Side + "-storage"},
	}}
	if e.Entry != "" {
		before, part := utf8.RuneCountInString(e.Entry[:e.Offset]), utf8.RuneCountInString(e.Entry[e.Offset:e.Offset+e.Length])
		finding.Source, finding.Pos.Line, finding.Pos.Col, finding.Pos.EndCol = e.Entry, e.Index, before+1, before+1+part
	}
	return finding
}

func findingsText(found []plans.Finding) string {
	var b strings.Builder
	plans.RenderFindings(&b, found)
	return b.String()
}

func generateText(o generateOptions, made *plans.Generated) string {
	var b strings.Builder
	s := made.Summary
	fmt.Fprintf(&b, "%s and %s: %s (%d running), %s, %s\n", o.Output, plans.InventoryFile(o.Output),
		report.Count(s.VMs, "VM"), s.Running, report.Count(len(s.StorageDomains), "storage domain"), report.Count(s.Templates, "template"))
	fmt.Fprintf(&b, "  storage domains  %s\n", strings.Join(s.StorageDomains, ", "))
	for _, rank := range s.Ranks {
		fmt.Fprintf(&b, "  rank %-11d %s\n", rank.Rank, someNames(rank.VMs, 8))
	}
	if len(s.Todos) > 0 {
		fmt.Fprintf(&b, "to fill in (%s):\n", report.Count(len(s.Todos), "dr.todo"))
		for _, todo := range s.Todos {
			fmt.Fprintf(&b, "  - %s\n", todo)
		}
	}
	b.WriteString(findingsText(s.Findings))
	fmt.Fprintf(&b, "next: look at the plan, then: drrun check %s\n", shellWord(o.Output))
	fmt.Fprintf(&b, "for an editor with lua-language-server: %s\n", typesCommand(filepath.Dir(o.Output)))
	return b.String()
}
