// uPlot behind one door, so that it can be replaced.
import 'uplot/dist/uPlot.min.css'
export { default } from 'uplot'
