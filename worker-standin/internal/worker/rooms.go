// Watching rooms without joining them: one ListRooms call for every egress of this worker.
package worker

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"reelkit/worker-standin/internal/config"
)

const (
	roomPoll      = 2 * time.Second
	missingInARow = 2 // a room that is missing once may only be a server that restarts
)

type roomWatch struct {
	client *lksdk.RoomServiceClient

	mu      sync.Mutex
	rooms   map[string]*watchedRoom
	running bool
	quit    chan struct{}
}

type watchedRoom struct {
	gone    chan struct{}
	users   int
	missing int
}

func newRoomWatch(conf *config.Config) *roomWatch {
	url := strings.Replace(conf.WSURL, "ws", "http", 1)
	return &roomWatch{client: lksdk.NewRoomServiceClient(url, conf.APIKey, conf.APISecret), rooms: map[string]*watchedRoom{}, quit: make(chan struct{})}
}

// follow returns a channel that is closed when the room is gone, and a function to stop following.
func (w *roomWatch) follow(name string) (<-chan struct{}, func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rooms[name]
	if r == nil {
		r = &watchedRoom{gone: make(chan struct{})}
		w.rooms[name] = r
	}
	r.users++
	if !w.running {
		w.running = true
		go w.run()
	}
	var once sync.Once
	return r.gone, func() { once.Do(func() { w.unfollow(name, r) }) }
}

func (w *roomWatch) unfollow(name string, r *watchedRoom) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.users--; r.users == 0 && w.rooms[name] == r {
		delete(w.rooms, name)
	}
}

func (w *roomWatch) run() {
	tick := time.NewTicker(roomPoll)
	defer tick.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-tick.C:
			if names := w.names(); len(names) > 0 {
				w.poll(names)
			}
		}
	}
}

func (w *roomWatch) poll(names []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*roomPoll)
	defer cancel()
	res, err := w.client.ListRooms(ctx, &livekit.ListRoomsRequest{Names: names})
	if err != nil {
		logger.Debugw("could not list rooms", "error", err)
		return
	}
	alive := map[string]bool{}
	for _, r := range res.Rooms {
		alive[r.Name] = true
	}
	w.compare(names, alive)
}

func (w *roomWatch) compare(asked []string, alive map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range asked {
		r := w.rooms[name]
		switch {
		case r == nil:
		case alive[name]:
			r.missing = 0
		default:
			if r.missing++; r.missing == missingInARow {
				close(r.gone)
				delete(w.rooms, name)
			}
		}
	}
}

func (w *roomWatch) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.rooms))
	for n := range w.rooms {
		names = append(names, n)
	}
	return names
}

func (w *roomWatch) stop() { close(w.quit) }
