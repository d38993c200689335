// egress-standin stands in for the livekit/egress worker where that cannot run: same bus, same requests,
// same records, real files. It is for development and tests; production records with the real worker.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/redis"
	"github.com/livekit/psrpc"
	lksdk "github.com/livekit/server-sdk-go/v2"

	"reelkit/worker-standin/internal/config"
	"reelkit/worker-standin/internal/fault"
	"reelkit/worker-standin/internal/worker"
)

const version = "egress-standin 1.14.x-compatible (Reelkit)"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "egress-standin:", err)
		os.Exit(1)
	}
}

func run() error {
	file, done := parseFlags()
	if done {
		return nil
	}
	switches, err := config.ReadSwitches(os.Getenv)
	if err != nil {
		return err
	}
	faults, err := fault.Parse(switches.Faults)
	if err != nil {
		return err
	}
	conf, err := config.Load(file, os.Getenv("EGRESS_CONFIG_BODY"))
	if err != nil {
		return err
	}
	conf.InitLogger()
	quietSDK(conf)
	time.Sleep(switches.BootDelay)
	return serve(conf, switches, faults)
}

// quietSDK keeps the SDK's and pion's routine messages out of the log, unless debugging is asked for.
func quietSDK(conf *config.Config) {
	level := "warn"
	if conf.Logging.Level == "debug" {
		level = "debug"
	}
	if l, err := logger.NewZapLogger(&logger.Config{JSON: true, Level: level}); err == nil {
		lksdk.SetLogger(l)
	}
}

func parseFlags() (file string, done bool) {
	flag.StringVar(&file, "config", os.Getenv("EGRESS_CONFIG_FILE"), "configuration file with the real worker's YAML keys; EGRESS_CONFIG_BODY holds the text itself and wins")
	show := flag.Bool("version", false, "print the version")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "%s\n\nUsage: egress-standin --config FILE\n\n", version)
		flag.PrintDefaults()
		fmt.Fprintf(flag.CommandLine.Output(), "\n%s", config.Help)
	}
	flag.Parse()
	if *show {
		fmt.Println(version)
	}
	return file, *show
}

func serve(conf *config.Config, switches config.Switches, faults *fault.Set) error {
	client, err := redis.GetRedisClient(conf.Redis)
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if client == nil {
		return fmt.Errorf("redis is not configured: the worker gets its requests through it")
	}
	w, err := worker.New(conf, switches, faults, psrpc.NewRedisMessageBus(client))
	if err != nil {
		return err
	}
	// Before a port answers: who sees it answer may ask it to end.
	drain, kill := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(drain, syscall.SIGTERM, syscall.SIGQUIT)
	signal.Notify(kill, syscall.SIGINT)
	if err := listen("health_port", switches.Listen, conf.HealthPort, w.Health()); err != nil {
		return err
	}
	if err := listen("prometheus_port", switches.Listen, conf.PrometheusPort, w.Metrics()); err != nil {
		return err
	}
	go obeySignals(w, drain, kill)
	return w.Run()
}

func listen(key, host string, port int, h http.Handler) error {
	if port == 0 {
		return nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }()
	return nil
}

// obeySignals takes one signal and swallows the rest, as the real worker does.
func obeySignals(w *worker.Server, drain, kill <-chan os.Signal) {
	select {
	case sig := <-drain:
		logger.Infow("exit requested, finishing recordings first", "signal", sig.String())
		w.Shutdown(true, false)
	case sig := <-kill:
		logger.Infow("exit requested, ending recordings", "signal", sig.String())
		w.Shutdown(true, true)
	}
}
