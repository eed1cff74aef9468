// write t14.1i
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  let oz = i32(wg.z);
  {
    let i0 = gn;
    let i1 = i32(li);
    for (var i2 = i1; i2 < 2 + oz; i2 += 8) {
      let v0 = b0[i2];
      b1[i2] = v0;
    }
  }
}

// start of a loop; zeros; 6 turns of reduce_sum, and; add, reduce_sum; add; turns
@group(0) @binding(0) var<storage, read_write> b0: array<u32>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> b3: array<u32>;
var<workgroup> wf: u32;
fn sd_is_finite(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
fn sd_nan() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }
fn sd_sin_turn(x: f32, turn: i32) -> f32 {
  if (!sd_is_finite(x)) { return sd_nan(); }
  if (abs(x) > 2e4) { if (turn == 0) { return sin(x); } return cos(x); }
  let n = round(x * 0.636619772);
  let r = ((x - n * 1.5703125) - n * 4.837512969970703125e-4) - n * 7.54978995489188e-8;
  let q = i32(n) + turn;
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1 + z * (8.3321608736e-3 - z * 1.9515295891e-4));
  let c = 1.0 - 0.5 * z + z * z * (4.166664568298827e-2 + z * (-1.388731625493765e-3 + z * 2.443315711809948e-5));
  let v = select(s, c, (q & 1) == 1);
  return select(v, -v, (q & 2) == 2);
}
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  let oz = i32(wg.z);
  {
    let i1 = i32(li);
    let i0 = 0;
    let v0 = 0i;
    let v1 = true;
    for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
      b0[0] = bitcast<u32>(v0);
      b0[1] = select(0u, 1u, v1);
    }
  }
  {
    let i1 = i32(li);
    let i0 = 0;
    let v0 = 0.0f;
    for (var i2 = i1; i2 < 2 + oz; i2 += 8) {
      b1[(i2 + 16)] = vec4<f32>(v0);
    }
  }
  storageBarrier();
  for (var tn0 = 0; tn0 < 6 + oz; tn0++) {
    if (li == 0u) { wf = b0[1]; }
    if (workgroupUniformLoad(&wf) == 0u) { break; }
    {
      let i1 = i32(li);
      let i0 = 0;
      let v1 = 0.0f;
      let v2 = vec4<f32>(v1, v1, v1, v1);
      let v14 = 9.0f;
      for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
        let v0 = (b0[1] != 0u);
        var v3 = v2;
        for (var i3 = 0; i3 < 2 + oz; i3 += 1) {
          let v4 = b1[i3];
          let v5 = (v4 * v4);
          let v6 = (v3 + v5);
          let n3 = v6;
          v3 = n3;
        }
        let v7 = v3.x;
        let v8 = v3.y;
        let v9 = v3.z;
        let v10 = v3.w;
        let v11 = (v7 + v8);
        let v12 = (v9 + v10);
        let v13 = (v11 + v12);
        let v15 = (v13 < v14);
        let v16 = (v0 & v15);
        b0[1] = select(0u, 1u, v16);
      }
    }
    storageBarrier();
    if (b0[1] != 0u) {
      let i1 = i32(li);
      let i0 = 0;
      let v0 = 0.0f;
      let v1 = vec4<f32>(v0, v0, v0, v0);
      for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
        let v5 = bitcast<i32>(b0[0]);
        let v6 = clamp(v5, i32(0), i32(5));
        var v2 = v1;
        for (var i3 = 0; i3 < 2 + oz; i3 += 1) {
          let v3 = b1[i3];
          let v4 = vec4<f32>(sd_sin_turn(v3.x, 0), sd_sin_turn(v3.y, 0), sd_sin_turn(v3.z, 0), sd_sin_turn(v3.w, 0));
          let v7 = b2[(i3 + v6 * 2 + 16)];
          let v8 = (v4 + v7);
          let v9 = (v2 + v8);
          let n2 = v9;
          v2 = n2;
        }
        let v10 = v2.x;
        let v11 = v2.y;
        let v12 = v2.z;
        let v13 = v2.w;
        let v14 = (v10 + v11);
        let v15 = (v12 + v13);
        let v16 = (v14 + v15);
        for (var i5 = 0; i5 < 2 + oz; i5 += 1) {
          let v17 = b1[i5];
          let v18 = vec4<f32>(sd_sin_turn(v17.x, 0), sd_sin_turn(v17.y, 0), sd_sin_turn(v17.z, 0), sd_sin_turn(v17.w, 0));
          let v19 = b2[(i5 + v6 * 2 + 16)];
          let v20 = (v18 + v19);
          b1[i5] = v20;
        }
        b1[((v6 >> 2u) + 16)][((v6 & 3))] = v16;
      }
    }
    storageBarrier();
    if (b0[1] != 0u) {
      let i1 = i32(li);
      let i0 = 0;
      let v1 = 1i;
      for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
        let v0 = bitcast<i32>(b0[0]);
        let v2 = (v0 + v1);
        b0[0] = bitcast<u32>(v2);
      }
    }
    storageBarrier();
  }
  {
    let i1 = i32(li);
    let i0 = 0;
    for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
      let v0 = bitcast<i32>(b0[0]);
      b3[0] = bitcast<u32>(v0);
    }
  }
  storageBarrier();
}

// write result:h; write result:ys; write result:turns
@group(0) @binding(0) var<storage, read> b0: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> b1: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b2: array<u32>;
@group(0) @binding(3) var<storage, read_write> b3: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) li: u32) {
  let gn = i32(wg.x);
  let oz = i32(wg.z);
  if (gn >= 0 && gn < 1) {
    let i0 = gn;
    let i1 = i32(li);
    for (var i2 = i1; i2 < 2 + oz; i2 += 8) {
      let v0 = b0[i2];
      b1[i2] = v0;
    }
  }
  if (gn >= 1 && gn < 2) {
    let i0 = gn - 1;
    let i1 = i32(li);
    for (var i2 = i1; i2 < 2 + oz; i2 += 8) {
      let v0 = b0[(i2 + 16)];
      b1[(i2 + 16)] = v0;
    }
  }
  if (gn >= 2 && gn < 3) {
    let i0 = gn - 2;
    let i1 = i32(li);
    for (var i2 = i1; i2 < 1 + oz; i2 += 8) {
      let v0 = bitcast<i32>(b2[0]);
      b3[0] = bitcast<u32>(v0);
    }
  }
}
