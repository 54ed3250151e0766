package web

import (
	"strings"
	"time"
)

// Size of a chart in its own units; it is as wide as there is room.
const (
	chartWidth  = 720
	chartHeight = 160
	chartTop    = 14 // room for the largest value
	chartFoot   = 18 // room for the first and the last label
	chartGap    = 0.2
	mostSeries  = 6 // with colours of their own
)

// column is what a chart shows of one stretch of time, one value per series.
type column struct {
	Label  string    // in words, for whoever points at it
	At     time.Time // when it begins; zero = it is no time
	Day    bool      // it is a whole day (UTC): no zone moves it
	Values []int64
}

// chart is columns over time, drawn by template "chart" as SVG. Its numbers are in it as a table,
// too, for those who cannot see it.
type chart struct {
	Title   string   // what is counted, such as "Comments per hour"
	ID      string   // of its parts in a page, made of the title
	Series  []string // names, in the order of Values; one has no legend
	Columns []column
	Total   int64
	Most    int64 // of a column
	Bars    []bar
	Width   int
	Height  int
	Base    float64 // where columns stand
}

// bar is a piece of a column in the chart's units.
type bar struct {
	X, Y, Width, Height float64
	Series              int    // from 1
	Title               string // "14:00: 12 emails"
}

// newChart lays columns out. They are as high as their sum; series after the sixth share its colour.
func newChart(title string, series []string, columns []column) chart {
	c := chart{Title: title, ID: strings.ToLower(strings.ReplaceAll(title, " ", "-")), Series: series, Columns: columns, Width: chartWidth, Height: chartHeight, Base: chartHeight - chartFoot}
	for _, col := range columns {
		var sum int64
		for _, v := range col.Values {
			sum += v
		}
		c.Total += sum
		c.Most = max(c.Most, sum)
	}
	if c.Most == 0 {
		return c
	}
	step := float64(chartWidth) / float64(len(columns))
	scale := (c.Base - chartTop) / float64(c.Most)
	for i, col := range columns {
		y := c.Base
		for n, v := range col.Values {
			if v <= 0 {
				continue
			}
			b := bar{X: step * (float64(i) + chartGap/2), Width: step * (1 - chartGap), Height: float64(v) * scale, Series: min(n+1, mostSeries)}
			y -= b.Height
			b.Y = y
			b.Title = col.Label + ": " + groupDigits(v)
			if n < len(series) {
				b.Title += " " + series[n]
			}
			c.Bars = append(c.Bars, b)
		}
	}
	return c
}

// First and Last are the columns whose labels the chart shows.
func (c chart) First() column { return c.end(0) }

// Last is the newest column.
func (c chart) Last() column { return c.end(len(c.Columns) - 1) }

func (c chart) end(i int) column {
	if i < 0 || i >= len(c.Columns) {
		return column{}
	}
	return c.Columns[i]
}

// seriesClass is the number of the colour of a series, by its place in a list.
func seriesClass(place int) int { return min(place+1, mostSeries) }
