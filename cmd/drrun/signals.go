package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"drrun/plans/runner"
)

// errInterrupted is why a context was cancelled by an interrupt.
var errInterrupted = errors.New("interrupted")

type hardKey struct{}

// hard returns the context that only the second interrupt cancels. ctx is one that came from watch.
func hard(ctx context.Context) context.Context {
	if second, ok := ctx.Value(hardKey{}).(context.Context); ok {
		return second
	}
	return ctx
}

// watch returns the context of the command. The first interrupt cancels it: nothing new starts. The second one cancels hard(ctx) too:
// requests are dropped. The third ends the process at once. unwatch ends the watching.
func (inv *invocation) watch() (ctx context.Context, unwatch func()) {
	second, cutSecond := context.WithCancelCause(context.Background())
	first, cutFirst := context.WithCancelCause(context.WithValue(second, hardKey{}, second))
	if inv.env.Signals == nil {
		return first, func() { cutFirst(context.Canceled); cutSecond(context.Canceled) }
	}
	signals, stop := inv.env.Signals()
	done := make(chan struct{})
	inv.env.wall().Go(func() {
		for count := 1; ; count++ {
			select {
			case <-done:
				return
			case signal := <-signals:
				if catch := inv.catching.Load(); catch != nil && signal == os.Interrupt && (*catch)() {
					count--
					continue
				}
			}
			switch count {
			case 1:
				inv.say("interrupted: nothing new starts, what runs is brought to its end (again: drop it)")
				cutFirst(errInterrupted)
			case 2:
				inv.say("interrupted again: requests are dropped (again: leave at once)")
				cutSecond(errInterrupted)
			default:
				inv.finish(failure(runner.ExitInterrupted, runner.StatusInterrupted, "interrupted",
					errors.New("left at once; what was under way is unknown"), "drrun history shows the run and how to resume it"), nil)
				if inv.env.Exit != nil {
					inv.env.Exit(runner.ExitInterrupted)
				}
			}
		}
	})
	return first, func() {
		stop()
		close(done)
		cutFirst(context.Canceled)
		cutSecond(context.Canceled)
	}
}

// catch lets fn take interrupts for as long as it returns true, until the returned function is called: Ctrl-C in a console ends what runs
// there, and not the console.
func (inv *invocation) catch(fn func() bool) (over func()) {
	inv.catching.Store(&fn)
	return func() { inv.catching.Store(nil) }
}

// say explains an interrupt where a plan runs. Elsewhere it just ends the command.
func (inv *invocation) say(text string) {
	if inv.running.Load() {
		inv.screen.line(text)
	}
}

// persist keeps a run going when the terminal is gone (a lost SSH session), and when nobody reads its output any more: it can be looked
// at, and answered, from another terminal.
func persist() { signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) }

// interrupts listens for Ctrl-C and for the polite way to end a process.
func interrupts() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}
