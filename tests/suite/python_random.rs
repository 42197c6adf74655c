//! `random.Random(seed).sample` against what CPython gave (scripts/python_sample.py).

use gen404::rules::python_random::PythonRandom;
use sha2::{Digest, Sha256};

#[test]
fn samples_are_cpythons_to_the_bit() {
    let vectors = include_str!("../fixtures/python_sample.txt");
    let mut checked = 0;
    for line in vectors.lines() {
        let mut parts = line.split(' ');
        let mut number = || parts.next().unwrap().parse::<u64>().unwrap();
        let (seed, n, k) = (number(), number(), number());
        let population: Vec<u64> = (0..n).collect();
        let drawn = PythonRandom::new(seed).sample(&population, usize::try_from(k).unwrap());
        let joined = drawn.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let found = gen404::base::hex::encode(Sha256::digest(joined));
        assert_eq!(Some(found.as_str()), line.rsplit(' ').next(), "seed {seed}, {k} of {n}");
        checked += 1;
    }
    assert_eq!(checked, 264);
}

#[test]
fn two_samples_go_on_from_one_generator() {
    // python3 -c 'import random; r = random.Random(847291); print(r.sample(range(40), 3), r.sample(range(500), 4))'
    let mut random = PythonRandom::new(847_291);
    let (first, second): (Vec<u32>, Vec<u32>) = ((0..40).collect(), (0..500).collect());
    assert_eq!((random.sample(&first, 3), random.sample(&second, 4)), (TWO.0.to_vec(), TWO.1.to_vec()));
}

#[test]
fn asking_for_everything_draws_nothing() {
    let mut random = PythonRandom::new(7);
    let all: Vec<u32> = (0..40).collect();
    assert_eq!(random.sample(&all, 40), all);
    assert_eq!(random.sample(&all, 41), all);
    assert_eq!(random.sample(&all, 3), PythonRandom::new(7).sample(&all, 3));
}

const TWO: ([u32; 3], [u32; 4]) = ([34, 33, 37], [353, 497, 493, 260]);
