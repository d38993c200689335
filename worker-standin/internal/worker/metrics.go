// The Prometheus names of the real worker.
package worker

import (
	"net/http"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"reelkit/worker-standin/internal/admission"
	"reelkit/worker-standin/internal/job"
)

// How a session ended, for handler_results_total. It is not the egress status.
const (
	resultCompleted      = "completed"
	resultAborted        = "aborted"
	resultStoppedCPU     = "stopped_cpu"
	resultKilledShutdown = "killed_shutdown"
	resultProcessError   = "process_error"
	resultDuplicate      = "duplicate_identity"
)

type metrics struct {
	registry *prometheus.Registry
	cpuLoad  prometheus.Gauge
	procRSS  prometheus.Gauge
	ratio    *prometheus.GaugeVec
	requests *prometheus.GaugeVec
	results  *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	labels := prometheus.Labels{"node_id": s.conf.NodeID, "cluster_id": s.conf.ClusterID}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		cpuLoad: prometheus.NewGauge(prometheus.GaugeOpts{Name: "livekit_node_cpu_load",
			ConstLabels: prometheus.Labels{"node_id": s.conf.NodeID, "node_type": "EGRESS", "cluster_id": s.conf.ClusterID}}),
		procRSS:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "livekit_egress_proc_rss_bytes", ConstLabels: labels}),
		ratio:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "livekit_load_ratio", ConstLabels: labels}, []string{"type"}),
		requests: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "livekit_egress_requests", ConstLabels: labels}, []string{"type"}),
		results:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "livekit_egress_handler_results_total", ConstLabels: labels}, []string{"type", "result"}),
	}
	m.registry.MustRegister(m.cpuLoad, m.procRSS, m.ratio, m.requests, m.results,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		flag("livekit_egress_available", labels, s.isIdle),
		flag("livekit_egress_can_accept_request", labels, s.canAcceptWeb),
		flag("livekit_egress_is_disabled", labels, s.isDisabled),
		flag("livekit_egress_is_terminating", labels, s.isTerminating))
	return m
}

func flag(name string, labels prometheus.Labels, value func() bool) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, ConstLabels: labels}, func() float64 {
		if value() {
			return 1
		}
		return 0
	})
}

// canAcceptWeb answers for the dearest kind of request, as the real worker's gauge does.
func (s *Server) canAcceptWeb() bool {
	req := &rpc.StartEgressRequest{Request: &rpc.StartEgressRequest_Web{Web: &livekit.WebEgressRequest{}}}
	return !s.isDisabled() && s.gate.Fits(admission.CostOf(s.conf.CPUCost, req), 0)
}

func (m *metrics) started(k job.Kind) { m.requests.WithLabelValues(string(k)).Inc() }

func (m *metrics) ended(k job.Kind, result string) {
	m.requests.WithLabelValues(string(k)).Dec()
	m.results.WithLabelValues(string(k), result).Inc()
}

func (m *metrics) sample(s *Server) {
	load := s.usage.load()
	m.cpuLoad.Set(load)
	m.ratio.WithLabelValues("cpu").Set(load / s.conf.CPUCost.MaxCPUUtilization)
	m.ratio.WithLabelValues("pulse").Set(float64(s.gate.PulseClients()) / float64(s.conf.CPUCost.MaxPulseClients))
	m.procRSS.Set(rssGB() * (1 << 30))
}

// Metrics serves every path, as the real worker does.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(prometheus.Gatherers{s.metrics.registry}, promhttp.HandlerOpts{})
}
