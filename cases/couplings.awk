# Table and plot of cases/couplings.sh. A figure is the relative L1 error of the velocity, meant over the test simulations and over the steps
# 1 ... 100 or 1 ... 300, of each seed; then the median of the seeds, and in brackets the lowest and the highest. A seed of which any
# simulation left its bounds before that step counts as unstable.
function trim(s) { gsub(/^ +| +$/, "", s); return s }
function read_errors(path, row, seed,   field, sum, n, bad, column, step, steps, dead) {
  steps = 0
  while ((getline line < path) > 0) {
    split(line, field, ",")
    if (field[1] == "step") continue
    step = field[1] + 0
    if (step > 300) continue
    if (!(step in n)) steps++
    n[step]++
    sum[step] += field[6]
    solver_sum[step] += field[3]
    solver_n[step]++
    if (field[6] !~ /^[0-9.]/) bad[step] = 1
  }
  close(path)
  dead = 0
  for (step = 1; step <= steps; step++) {
    if (step in bad) dead = 1
    error[row, seed, step] = dead ? -1 : sum[step] / n[step]
  }
  if (steps > longest) longest = steps
  return steps
}
# Mean over the first steps; -1: unstable.
function mean(row, seed, count,   total, step) {
  total = 0
  for (step = 1; step <= count; step++) {
    if (error[row, seed, step] < 0) return -1
    total += error[row, seed, step]
  }
  return total / count
}
# Sorted: unstable ones last.
function sort_values(v, n,   i, j, kept) {
  for (i = 2; i <= n; i++)
    for (j = i; j > 1 && (v[j - 1] < 0 || (v[j] >= 0 && v[j] < v[j - 1])) && v[j] >= 0; j--) { kept = v[j]; v[j] = v[j - 1]; v[j - 1] = kept }
}
function text(x) { return x < 0 ? "unstable" : sprintf(x < 0.1 ? "%.4f" : "%.3f", x) }
function cell(row, count,   v, n, i) {
  n = 0
  for (i = 1; i <= seed_count; i++) if ((row, seed_name[i]) in there) v[++n] = mean(row, seed_name[i], count)
  if (!n) return "-"
  sort_values(v, n)
  return text(n % 2 ? v[(n + 1) / 2] : v[n / 2] < 0 || v[n / 2 + 1] < 0 ? -1 : (v[n / 2] + v[n / 2 + 1]) / 2) (n > 1 ? " (" text(v[1]) " - " text(v[n]) ")" : "")
}
function solver(count,   step, total) {
  for (step = 1; step <= count; step++) total += solver_sum[step] / solver_n[step]
  return text(total / count)
}
function median_error(row, step,   v, n, i) {
  n = 0
  for (i = 1; i <= seed_count; i++) if ((row, seed_name[i]) in there) v[++n] = error[row, seed_name[i], step]
  if (!n) return -1
  sort_values(v, n)
  return v[int((n + 1) / 2)]
}
function line_svg(label, color, dash, points, at) {
  if (points == "") return
  printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\"%s points=\"%s\"/>\n", color, dash, points > svg
  printf "<line x1=\"610\" y1=\"%d\" x2=\"640\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2.5\"%s/><text x=\"648\" y=\"%d\">%s</text>\n", at, at, color, dash, at + 4, label > svg
}
function x_of(step) { return 60 + 530 * step / longest }
function y_of(value) { return 370 - 340 * (log(value) - log(low)) / (log(high) - log(low)) }
function plot(   row, step, points, value, color, decade, k) {
  split("#0072b2 #56b4e9 #cc79a7 #e69f00 #d55e00 #009e73 #666666 #aaaaaa", color, " ")
  svg = output "/errors.svg"
  low = 1e30; high = 0
  for (step = 2; step <= longest; step++)
    for (row = 0; row <= rows; row++) {
      value = row ? median_error(row, step) : solver_sum[step] / solver_n[step]
      if (value > 0 && value < low) low = value
      if (value > high) high = value
    }
  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 920 420\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"920\" height=\"420\" fill=\"white\"/>\n" > svg
  printf "<text x=\"60\" y=\"18\" font-size=\"14\">%s: relative L1 error of the velocity, mean of the test simulations, median of the seeds</text>\n", title > svg
  for (decade = -6; decade <= 3; decade++)
    for (k = 1; k <= 9; k++) {
      value = k * 10 ^ decade
      if (value < low || value > high || (k != 1 && k != 2 && k != 5)) continue
      printf "<line x1=\"60\" x2=\"590\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/><text x=\"54\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", y_of(value), y_of(value), y_of(value) + 4, value > svg
    }
  for (step = 0; step <= longest; step += 50) printf "<text x=\"%.1f\" y=\"388\" text-anchor=\"middle\">%d</text>\n", x_of(step), step > svg
  printf "<text x=\"325\" y=\"408\" text-anchor=\"middle\">steps</text>\n<rect x=\"60\" y=\"30\" width=\"530\" height=\"340\" fill=\"none\" stroke=\"black\"/>\n" > svg
  for (row = 0; row <= rows; row++) {
    points = ""
    for (step = 2; step <= longest; step++) {
      value = row ? median_error(row, step) : solver_n[step] ? solver_sum[step] / solver_n[step] : -1
      if (value > 0) points = points sprintf("%.1f,%.1f ", x_of(step), y_of(value))
    }
    if (row) line_svg(label[row], color[(row - 1) % 8 + 1], row % 2 ? "" : " stroke-dasharray=\"6 3\"", points, 50 + 22 * row)
    else line_svg("coarse solver alone", "black", "", points, 50)
  }
  printf "</svg>\n" > svg
  close(svg)
}
BEGIN { FS = "|"; seed_count = split(seeds, seed_name, " ") }
/^#/ { next }
{
  rows++
  name[rows] = trim($1); label[rows] = trim($2); surrogate = $4 ~ /model_steps/
  for (i = 1; i <= seed_count; i++) {
    path = output "/" name[rows] "." seed_name[i] "/rollout/errors.csv"
    if (surrogate) { split("", keep_sum); split("", keep_n); for (s in solver_sum) { keep_sum[s] = solver_sum[s]; keep_n[s] = solver_n[s] } }
    if (read_errors(path, rows, seed_name[i])) there[rows, seed_name[i]] = 1
    if (surrogate) { split("", solver_sum); split("", solver_n); for (s in keep_sum) { solver_sum[s] = keep_sum[s]; solver_n[s] = keep_n[s] } } # not of the solver
  }
}
END {
  if (!longest) { print "there are no results in " output > "/dev/stderr"; exit 1 }
  last = longest < 300 ? longest : 300; first = last < 100 ? last : 100
  markdown = output "/table.md"
  printf "| %s | %d steps | %d steps |\n|---|---|---|\n| coarse solver alone | %s | %s |\n", title, first, last, solver(first), solver(last) > markdown
  printf "%-42s %-26s %s\n%-42s %-26s %s\n", title, first " steps", last " steps", "coarse solver alone", solver(first), solver(last)
  for (row = 1; row <= rows; row++) {
    a = cell(row, first); b = cell(row, last)
    printf "| %s | %s | %s |\n", label[row], a, b > markdown
    printf "%-42s %-26s %s\n", label[row], a, b
  }
  plot()
}
