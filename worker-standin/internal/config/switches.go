// The test switches. They exist only as environment variables, so that no configuration file written
// for the real worker can carry one by accident.
package config

import (
	"fmt"
	"time"
)

// Help describes every switch; main prints it and the README repeats it.
const Help = `Switches for tests (environment only):
  STANDIN_BOOT_DELAY    Go duration, e.g. 10s: no port is open and nothing is registered until it is over
  STANDIN_LISTEN        address its ports are bound to; all of the machine's when left out
  STANDIN_LAUNCH_DELAY  Go duration, default 100ms: what starting a handler process costs the real worker
  STANDIN_IO_WATCHDOG   Go duration, default 10m: silence of LiveKit after which the worker goes for good
  STANDIN_MEDIA=none    no room is joined and no ffmpeg runs: an egress is ACTIVE at once and ends on
                        StopEgress, at a session limit, or when its room is gone
  STANDIN_FAULTS        JSON array of rules:
                        {"room":"regular expression, matches the room name","step":"claim|launch|start|active|stop",
                         "action":"fail|crash|hang|end","code":500,"message":"...","details":"...",
                         "after":"2s","times":1,"disables":true}
`

// Switches is what the STANDIN_ variables say.
type Switches struct {
	BootDelay   time.Duration
	LaunchDelay time.Duration
	IOWatchdog  time.Duration
	NoMedia     bool
	Listen      string
	Faults      string
}

// ReadSwitches takes the lookup function so that tests need no process environment.
func ReadSwitches(get func(string) string) (Switches, error) {
	s := Switches{
		LaunchDelay: 100 * time.Millisecond,
		IOWatchdog:  10 * time.Minute,
		Faults:      get("STANDIN_FAULTS"),
		Listen:      get("STANDIN_LISTEN"),
	}
	if err := readDuration(get, "STANDIN_BOOT_DELAY", &s.BootDelay); err != nil {
		return s, err
	}
	if err := readDuration(get, "STANDIN_LAUNCH_DELAY", &s.LaunchDelay); err != nil {
		return s, err
	}
	if err := readDuration(get, "STANDIN_IO_WATCHDOG", &s.IOWatchdog); err != nil {
		return s, err
	}
	switch media := get("STANDIN_MEDIA"); media {
	case "", "real":
	case "none":
		s.NoMedia = true
	default:
		return s, fmt.Errorf("STANDIN_MEDIA is %q: use none, or leave it out", media)
	}
	return s, nil
}

func readDuration(get func(string) string, name string, into *time.Duration) error {
	text := get(name)
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%s is %q: use a Go duration such as 10s or 250ms", name, text)
	}
	*into = d
	return nil
}
