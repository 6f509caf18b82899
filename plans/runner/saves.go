package runner

import (
	"bytes"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"drrun/engine"
)

// How a save is noticed, in time of the wall: editors write a file in pieces, or put another one in its place.
const (
	saveTick    = 500 * time.Millisecond // between two looks
	saveSettles = 300 * time.Millisecond // without a change before a save counts
	goneSettles = 2 * time.Second        // before a file counts as gone, or as emptied
)

// saves notices that files are saved. It looks at what the files hold and not at how they are written: an editor may write in place, rename
// a new file over the old one, or move the old one away first. The operating system is asked to tell of changes in the folders, and where
// it does not, each tick looks.
type saves struct {
	env    engine.Env
	speed  float64
	bell   engine.Bell
	told   func() // ends the telling of the operating system; nil where it tells nothing
	seen   map[string][]byte
	folder []string // that the operating system tells of
}

// watchSaves begins with what the files held when they were read last; nil for one that was not there.
func watchSaves(env engine.Env, speed float64, held map[string][]byte) *saves {
	if speed <= 0 {
		speed = 1
	}
	s := &saves{env: env, speed: speed}
	s.watch(held)
	return s
}

// watch goes on with other files, and with what they held when they were read.
func (s *saves) watch(held map[string][]byte) {
	s.seen = held
	folders := map[string]bool{}
	for file := range held {
		folder := filepath.Dir(file)
		if entry, err := s.env.FS.Stat(folder); err == nil && entry.Dir { // one that appears later is found by the ticks
			folders[folder] = true
		}
	}
	wanted := slices.Sorted(maps.Keys(folders))
	if s.env.Watch == nil || s.told != nil && slices.Equal(wanted, s.folder) {
		return
	}
	s.stop()
	if stop, err := s.env.Watch(s.bell.Ring, wanted...); err == nil { // else each tick looks
		s.told, s.folder = stop, wanted
	}
}

func (s *saves) stop() {
	if s.told != nil {
		s.told()
		s.told = nil
	}
}

// next waits until a file holds something else than at the last look, and stays so. ok is false when the waiting is given up.
func (s *saves) next(ctx context.Context, givenUp <-chan struct{}) (now map[string][]byte, ok bool) {
	for {
		rung := s.bell.Next()
		if now = s.read(); !same(now, s.seen) {
			stays, err := s.stays(ctx, now)
			if err != nil {
				return nil, false
			}
			if !stays {
				continue
			}
			s.seen = now
			return now, true
		}
		select {
		case <-givenUp:
			return nil, false
		default:
		}
		if _, err := s.env.Clock.Wait(ctx, s.wall(saveTick), rung); err != nil {
			return nil, false
		}
	}
}

// stays tells whether the files hold the same for as long as it takes.
func (s *saves) stays(ctx context.Context, now map[string][]byte) (bool, error) {
	for waited := time.Duration(0); waited < s.settles(now); waited += saveSettles {
		if _, err := s.env.Clock.Wait(ctx, s.wall(saveSettles), nil); err != nil {
			return false, err
		}
		if !same(s.read(), now) {
			return false, nil
		}
	}
	return true, nil
}

// settles is how long what the files hold has to stay: longer where something is gone, which may be on its way back.
func (s *saves) settles(now map[string][]byte) time.Duration {
	for file, text := range now {
		if len(text) == 0 && len(s.seen[file]) > 0 {
			return goneSettles
		}
	}
	return saveSettles
}

func (s *saves) wall(d time.Duration) time.Duration { return time.Duration(float64(d) * s.speed) }

// read reads the files; one that is not there is nil.
func (s *saves) read() map[string][]byte {
	texts := map[string][]byte{}
	for file := range s.seen {
		texts[file], _ = s.env.FS.ReadFile(file)
	}
	return texts
}

func same(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }
