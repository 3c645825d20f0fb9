"use strict";
/* A decoder that runs in the page: steps over Float32Arrays, one code at a time. */
const live = (() => {
  const half = (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    return exponent
      ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
      : sign * 2 ** -14 * (fraction / 1024);
  };

  /* Abramowitz and Stegun 7.1.26: within 1.5e-7. */
  const erf = (x) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const series =
      ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - series * Math.exp(-x * x));
  };
  const softplus = (x) => (x > 20 ? x : Math.log1p(Math.exp(x)));
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  /* Functions of one value; `n` holds the settings. */
  const functions = {
    relu: () => (x) => (x > 0 ? x : 0),
    sigmoid: () => sigmoid,
    tanh: () => Math.tanh,
    silu: () => (x) => x * sigmoid(x),
    mish: () => (x) => x * Math.tanh(softplus(x)),
    exp: () => Math.exp,
    log: () => Math.log,
    log1p: () => Math.log1p,
    sqrt: () => Math.sqrt,
    rsqrt: () => (x) => 1 / Math.sqrt(x),
    neg: () => (x) => -x,
    abs: () => Math.abs,
    sin: () => Math.sin,
    cos: () => Math.cos,
    reciprocal: () => (x) => 1 / x,
    hardswish: () => (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6,
    hardsigmoid: () => (x) => Math.min(Math.max(x + 3, 0), 6) / 6,
    log_sigmoid_forward: () => (x) => -softplus(-x),
    leaky_relu: (n) => (x) => (x > 0 ? x : n.negative_slope[0] * x),
    elu: (n) => (x) => n.scale[0] * (x > 0 ? x : n.alpha[0] * Math.expm1(n.input_scale[0] * x)),
    softplus: (n) => (x) =>
      n.beta[0] * x > n.threshold[0] ? x : Math.log1p(Math.exp(n.beta[0] * x)) / n.beta[0],
    clamp: (n) => (x) =>
      Math.min(
        Math.max(x, n.min?.[0] ?? n.min_val?.[0] ?? -Infinity),
        n.max?.[0] ?? n.max_val?.[0] ?? Infinity,
      ),
    gelu: () => (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    gelu_tanh: () => (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    pow: (n) => (x) => x ** n.exponent[0],
  };
  const pairs = {
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    div: (a, b) => a / b,
    maximum: Math.max,
    minimum: Math.min,
    prelu: (a, b) => (a > 0 ? a : a * b),
  };

  /* Largest number of values in a band. */
  const BAND = 2 ** 19;

  /* Places o of a convolution's coarser side whose o · stride − padding + k · dilation lies in the finer
     one. */
  const overlap = (coarse, fine, stride, shift) => [
    Math.max(0, Math.ceil(-shift / stride)),
    Math.min(coarse - 1, Math.floor((fine - 1 - shift) / stride)),
  ];

  /* out (rows × width) = a (rows × inner) · b (inner × width), width a multiple of 4: four by four sums at
     a time. */
  const multiply = (a, b, out, rows, inner, width) => {
    let row = 0;
    for (; row + 4 <= rows; row += 4) {
      const [a0, a1, a2, a3] = [row * inner, (row + 1) * inner, (row + 2) * inner, (row + 3) * inner];
      for (let column = 0; column < width; column += 4) {
        let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
        let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
        for (let k = 0, from = column; k < inner; k++, from += width) {
          const b0 = b[from], b1 = b[from + 1], b2 = b[from + 2], b3 = b[from + 3];
          const x0 = a[a0 + k], x1 = a[a1 + k], x2 = a[a2 + k], x3 = a[a3 + k];
          s00 += x0 * b0; s01 += x0 * b1; s02 += x0 * b2; s03 += x0 * b3;
          s10 += x1 * b0; s11 += x1 * b1; s12 += x1 * b2; s13 += x1 * b3;
          s20 += x2 * b0; s21 += x2 * b1; s22 += x2 * b2; s23 += x2 * b3;
          s30 += x3 * b0; s31 += x3 * b1; s32 += x3 * b2; s33 += x3 * b3;
        }
        let to = row * width + column;
        out[to] = s00; out[to + 1] = s01; out[to + 2] = s02; out[to + 3] = s03;
        to += width;
        out[to] = s10; out[to + 1] = s11; out[to + 2] = s12; out[to + 3] = s13;
        to += width;
        out[to] = s20; out[to + 1] = s21; out[to + 2] = s22; out[to + 3] = s23;
        to += width;
        out[to] = s30; out[to + 1] = s31; out[to + 2] = s32; out[to + 3] = s33;
      }
    }
    for (; row < rows; row++) {
      for (let column = 0; column < width; column += 4) {
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (let k = 0, from = column; k < inner; k++, from += width) {
          const x = a[row * inner + k];
          s0 += x * b[from]; s1 += x * b[from + 1]; s2 += x * b[from + 2]; s3 += x * b[from + 3];
        }
        const to = row * width + column;
        out[to] = s0; out[to + 1] = s1; out[to + 2] = s2; out[to + 3] = s3;
      }
    }
  };

  const transpose = (values, rows, columns) =>
    values.map((_, k) => values[(k % rows) * columns + Math.floor(k / rows)]);

  /* A convolution as a product of matrices, a band of rows at a time. The coarse side is the result of a
     convolution and the input of a transposed one; each tap of the kernel pairs its places with the fine
     side's. */
  const convolution = (n, w) => {
    const transposed = n.transposed[0] === 1;
    const groups = n.groups[0];
    const [coarse, fine] = transposed ? [n.input, n.output] : [n.output, n.input];
    const [coarseChannels, fineChannels] = [coarse[0] / groups, fine[0] / groups];
    const [kernelHeight, kernelWidth] = n.kernel;
    const taps = fineChannels * kernelHeight * kernelWidth;
    const [strideY, strideX] = n.stride;
    const band = Math.min(coarse[1], Math.max(1, Math.floor(BAND / (taps * coarse[2]))));
    const size = 4 * Math.ceil((band * coarse[2]) / 4);
    const columns = new Float32Array(taps * size);
    const plane = new Float32Array(coarseChannels * size);
    const block = coarseChannels * taps;
    /* A torch weight is (coarse channel, fine channel, row, column) whichever way it runs. */
    const weights = Array.from({ length: groups }, (_, group) => {
      const weight = w.weight.slice(group * block, (group + 1) * block);
      return transposed ? transpose(weight, coarseChannels, taps) : weight;
    });
    const eachTap = (first, rows, group, visit) => {
      for (let channel = 0, tap = 0; channel < fineChannels; channel++) {
        const base = (group * fineChannels + channel) * fine[1] * fine[2];
        for (let y = 0; y < kernelHeight; y++) {
          const shiftY = y * n.dilation[0] - n.padding[0];
          const [top, bottom] = overlap(coarse[1], fine[1], strideY, shiftY);
          for (let x = 0; x < kernelWidth; x++, tap++) {
            const shiftX = x * n.dilation[1] - n.padding[1];
            const [left, right] = overlap(coarse[2], fine[2], strideX, shiftX);
            for (let row = Math.max(first, top); row <= Math.min(first + rows - 1, bottom); row++) {
              const from = tap * size + (row - first) * coarse[2];
              const place = base + (row * strideY + shiftY) * fine[2] + shiftX + left * strideX;
              visit(from + left, from + right, place);
            }
          }
        }
      }
    };
    return (input, result) => {
      const area = n.output[1] * n.output[2];
      for (let o = 0; o < n.output[0]; o++) result.fill(w.bias ? w.bias[o] : 0, o * area, (o + 1) * area);
      const gather = (first, last, place) => {
        for (let to = first, from = place; to <= last; to++, from += strideX) columns[to] = input[from];
      };
      const scatter = (first, last, place) => {
        for (let from = first, to = place; from <= last; from++, to += strideX) result[to] += columns[from];
      };
      const coarseArea = coarse[1] * coarse[2];
      for (let group = 0; group < groups; group++) {
        for (let first = 0; first < coarse[1]; first += band) {
          const rows = Math.min(band, coarse[1] - first);
          const [start, count] = [first * coarse[2], rows * coarse[2]];
          const at = (channel) => (group * coarseChannels + channel) * coarseArea + start;
          if (transposed) {
            for (let c = 0; c < coarseChannels; c++) {
              plane.set(input.subarray(at(c), at(c) + count), c * size);
            }
            multiply(weights[group], plane, columns, taps, coarseChannels, size);
            eachTap(first, rows, group, scatter);
          } else {
            columns.fill(0);
            eachTap(first, rows, group, gather);
            multiply(weights[group], columns, plane, coarseChannels, taps, size);
            for (let c = 0; c < coarseChannels; c++) {
              for (let k = 0, to = at(c); k < count; k++, to++) result[to] += plane[c * size + k];
            }
          }
        }
      }
    };
  };

  const linear = (n, w) => {
    const size = n.inputs[0];
    const outputs = w.weight.length / size;
    return (input, result) => {
      for (let row = 0; row * outputs < result.length; row++) {
        for (let o = 0; o < outputs; o++) {
          let sum = w.bias ? w.bias[o] : 0;
          const at = o * size;
          const from = row * size;
          for (let i = 0; i < size; i++) sum += w.weight[at + i] * input[from + i];
          result[row * outputs + o] = sum;
        }
      }
    };
  };

  const strided = (n, w, shape) => (input, result) => {
    const walk = (dimension, from, to) => {
      const step = n.strides[dimension];
      if (dimension === shape.length - 1) {
        for (let k = 0; k < shape[dimension]; k++) result[to + k] = input[from + k * step];
        return shape[dimension];
      }
      let written = 0;
      for (let k = 0; k < shape[dimension]; k++) {
        written += walk(dimension + 1, from + k * step, to + written);
      }
      return written;
    };
    if (shape.length) walk(0, n.offset[0], 0); else result[0] = input[n.offset[0]];
  };

  const resample = (n) => (input, result) => {
    const [channels, height, width] = n.input;
    const [, rows, columns] = n.output;
    const line = new Float32Array(width);
    for (let channel = 0; channel < channels; channel++) {
      for (let row = 0, tap = 0; row < rows; row++) {
        line.fill(0);
        for (let t = 0; t < n.row_counts[row]; t++, tap++) {
          const from = (channel * height + n.row_places[tap]) * width;
          for (let c = 0; c < width; c++) line[c] += n.row_factors[tap] * input[from + c];
        }
        const to = (channel * rows + row) * columns;
        for (let column = 0, across = 0; column < columns; column++) {
          let sum = 0;
          for (let t = 0; t < n.column_counts[column]; t++, across++) {
            sum += n.column_factors[across] * line[n.column_places[across]];
          }
          result[to + column] = sum;
        }
      }
    }
  };

  const maxPool = (n) => (input, result) => {
    const [channels, height, width] = n.input;
    const [, rows, columns] = n.output;
    const places = (kernel, dilation, first, size) =>
      Array.from({ length: kernel }, (_, k) => first + k * dilation).filter((at) => at >= 0 && at < size);
    for (let channel = 0, to = 0; channel < channels; channel++) {
      for (let row = 0; row < rows; row++) {
        const down = places(n.kernel[0], n.dilation[0], row * n.stride[0] - n.padding[0], height);
        for (let column = 0; column < columns; column++, to++) {
          const across = places(n.kernel[1], n.dilation[1], column * n.stride[1] - n.padding[1], width);
          let most = -Infinity;
          for (const y of down) {
            for (const x of across) most = Math.max(most, input[(channel * height + y) * width + x]);
          }
          result[to] = most;
        }
      }
    }
  };

  /* Runs of `size` values, each on its own. */
  const runs = (input, result, size, perRun) => {
    for (let start = 0; start < input.length; start += size) {
      perRun(input.subarray(start, start + size), start / size);
    }
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  const arrays = {
    convolution,
    linear,
    strided,
    resample,
    max_pool: maxPool,
    affine: (n, w) => (input, result) => {
      const inner = n.inner[0];
      for (let k = 0; k < input.length; k++) {
        const c = Math.floor(k / inner) % w.scale.length;
        result[k] = input[k] * w.scale[c] + w.shift[c];
      }
    },
    normalise: (n) => (input, result) => {
      runs(input, result, n.size[0], (values, run) => {
        const centre = mean(values);
        const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length;
        const factor = 1 / Math.sqrt(variance + n.eps[0]);
        values.forEach((value, k) => { result[run * n.size[0] + k] = (value - centre) * factor; });
      });
    },
    softmax: (n) => (input, result) => {
      runs(input, result, n.size[0], (values, run) => {
        const largest = values.reduce((a, b) => Math.max(a, b));
        const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
        values.forEach((value, k) => { result[run * n.size[0] + k] = Math.exp(value - largest) / total; });
      });
    },
    mean: (n) => (input, result) => {
      runs(input, result, n.size[0], (values, run) => { result[run] = mean(values); });
    },
  };

  const concatenate = (inputs, result, n) => {
    let to = 0;
    for (let outer = 0; to < result.length; outer++) {
      inputs.forEach((input, k) => {
        const size = n.blocks[k];
        result.set(input.subarray(outer * size, (outer + 1) * size), to);
        to += size;
      });
    }
  };

  const pair = (operator, n) => (inputs, result) => {
    const run = pairs[operator];
    const alpha = n.alpha?.[0] ?? 1;
    const left = n.left ? null : inputs[0];
    const right = n.right ? null : inputs[inputs.length - 1];
    for (let k = 0; k < result.length; k++) {
      result[k] = run(left ? left[k] : n.left[0], alpha * (right ? right[k] : n.right[0]));
    }
  };

  /* A step as a function of its inputs and the array that it fills. */
  const compile = ({ operator, numbers, shape }, constants) => {
    if (operator === "constant") return (inputs, result) => result.set(constants.values);
    if (operator === "concatenate") return (inputs, result) => concatenate(inputs, result, numbers);
    if (operator in pairs) return pair(operator, numbers);
    if (operator in functions) {
      const f = functions[operator](numbers);
      return ([input], result) => { for (let k = 0; k < result.length; k++) result[k] = f(input[k]); };
    }
    const run = arrays[operator](numbers, constants, shape);
    return ([input], result) => run(input, result);
  };

  /* Arrays whose first bytes all come before their second ones. */
  const kinds = {
    u1: [1, Uint8Array, (view, at) => view.getUint8(at)],
    u2: [2, Uint16Array, (view, at) => view.getUint16(at, true)],
    f2: [2, Float32Array, (view, at) => half(view.getUint16(at, true))],
    f4: [4, Float32Array, (view, at) => view.getFloat32(at, true)],
  };
  const array = (bytes, [kind, start, length]) => {
    const [width, Kind, read] = kinds[kind];
    const one = new DataView(new ArrayBuffer(width));
    return Kind.from({ length }, (_, k) => {
      for (let byte = 0; byte < width; byte++) one.setUint8(byte, bytes[start + byte * length + k]);
      return read(one, 0);
    });
  };
  /* Base 85 as Python writes it, with others in place of three letters that HTML knows. */
  const LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;,=/?@^_`{|}~";
  const fromBase85 = (text) => {
    const digits = [];
    [...LETTERS].forEach((letter, digit) => { digits[letter.charCodeAt(0)] = digit; });
    const words = Math.ceil(text.length / 5);
    const bytes = new DataView(new ArrayBuffer(4 * words));
    for (let k = 0; k < words; k++) {
      let word = 0;
      /* Past the end stands the last letter. */
      for (let j = 5 * k; j < 5 * k + 5; j++) word = 85 * word + (digits[text.charCodeAt(j)] ?? 84);
      bytes.setUint32(4 * k, word);
    }
    return new Uint8Array(bytes.buffer, 0, text.length - words);
  };
  /* The header with its arrays, as the report has packed them. */
  const unpack = async (text) => {
    const stream = new Blob([fromBase85(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const content = bytes.subarray(4 + length);
    for (const [name, place] of Object.entries(header.arrays)) header.arrays[name] = array(content, place);
    return header;
  };

  /* decode(code: Float32Array) → the image, a Float32Array of its own. */
  const decoder = (steps, weights) => {
    const constant = ([offset, count]) => weights.slice(offset, offset + count);
    const constants = (step) =>
      Object.fromEntries(Object.entries(step.weights).map(([name, place]) => [name, constant(place)]));
    const runs = steps.map((step) => compile(step, constants(step)));
    const results = steps.map((step) => new Float32Array(step.shape.reduce((a, b) => a * b, 1)));
    const run = (code, k) =>
      runs[k](steps[k].inputs.map((place) => (place === 0 ? code : results[place - 1])), results[k]);
    const varying = [true];
    steps.forEach((step, k) => {
      varying.push(step.inputs.some((place) => varying[place]));
      if (!varying[k + 1]) run(null, k);
    });
    return (code) => {
      for (let k = 0; k < steps.length; k++) if (varying[k + 1]) run(code, k);
      return results[results.length - 1].slice();
    };
  };

  return { decoder, unpack };
})();
