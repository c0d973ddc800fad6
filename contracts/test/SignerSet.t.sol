// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignerSet} from "../sources/vault/SignerSet.sol";
import {Typed} from "./Typed.sol";
import {VaultWorld} from "./VaultWorld.sol";

/// @notice Who the signers are, how they change, and that they are there.
contract SignerSetTest is VaultWorld {
    bytes32 private constant DIGEST = keccak256("a digest");

    function setUp() external {
        buildWorld();
    }

    function testTheFirstMembersAreInForceAtOnce() external view {
        (uint256 number, address[] memory members, uint8 threshold) = signers.current();
        vm.assertEq(number, 1, "number");
        vm.assertEq(threshold, 2, "threshold");
        vm.assertEq(keccak256(abi.encode(members)), keccak256(abi.encode(addressesOf(memberKeys))), "members");
        vm.assertEq(signers.newestNumber(), 1, "newest");
        vm.assertEq(signers.changeDelay(), CHANGE, "delay");
        vm.assertEq(signers.lastHeartbeat(), START, "the deployment counts as a heartbeat");
        vm.assertEq(signers.lastHeartbeatBlock(), 1_000, "and its block");
    }

    function testExactlyTheThresholdOfMembersIsAQuorum() external view {
        for (uint256 first = 0; first < 3; ++first) {
            for (uint256 second = 0; second < 3; ++second) {
                bool quorum = signers.isQuorum(DIGEST, byMembers(first, second, DIGEST));
                vm.assertTrue(quorum == (first < second), "two members, ascending");
            }
        }
        vm.assertFalse(signers.isQuorum(DIGEST, ""), "nobody");
        vm.assertFalse(signers.isQuorum(DIGEST, sign(memberKeys[0], DIGEST)), "one");
        vm.assertFalse(signers.isQuorum(DIGEST, signAll(memberKeys, DIGEST)), "three");
        vm.assertFalse(
            signers.isQuorum(DIGEST, bytes.concat(byMembers(0, 1, DIGEST), hex"00")), "a byte too many"
        );
        vm.assertFalse(signers.isQuorum("another digest", byMembers(0, 1, DIGEST)), "another digest");
    }

    function testStrangersAreNoMembers(uint256 key) external view {
        key = clamp(key, 1, GROUP_ORDER - 1);
        for (uint256 i = 0; i < 3; ++i) {
            if (key == memberKeys[i]) return;
        }
        bytes memory theirs = sign(key, DIGEST);
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory ours = sign(memberKeys[i], DIGEST);
            vm.assertFalse(signers.isQuorum(DIGEST, bytes.concat(theirs, ours)), "stranger first");
            vm.assertFalse(signers.isQuorum(DIGEST, bytes.concat(ours, theirs)), "stranger last");
        }
    }

    function testNoOtherFormOfASignatureCounts() external view {
        bytes memory good = sign(memberKeys[0], DIGEST);
        bytes memory high = signHigh(memberKeys[1], DIGEST);
        vm.assertFalse(signers.isQuorum(DIGEST, bytes.concat(good, high)), "high s");
        bytes memory zeros = new bytes(65);
        vm.assertFalse(signers.isQuorum(DIGEST, bytes.concat(zeros, good)), "zeros");
        bytes memory wrongV = sign(memberKeys[1], DIGEST);
        for (uint256 v = 0; v < 256; ++v) {
            if (v == 27 || v == 28) continue;
            wrongV[64] = bytes1(uint8(v));
            vm.assertFalse(signers.isQuorum(DIGEST, bytes.concat(good, wrongV)), "another v");
        }
    }

    function testAnyBytesAreNoQuorum(bytes calldata signatures) external view {
        vm.assertFalse(signers.isQuorum(DIGEST, signatures), "made up");
    }

    function testUnfitSetsAreRefused() external {
        address[] memory none = new address[](0);
        unfit(none, 0);
        unfit(none, 1);
        address[] memory members = addressesOf(memberKeys);
        unfit(members, 0);
        unfit(members, 4);
        (members[0], members[1]) = (members[1], members[0]);
        unfit(members, 2);
        members[0] = members[1];
        unfit(members, 2);
        members[0] = address(0);
        unfit(members, 2);
        address[] memory many = addressesOf(sortedKeys("many", 33));
        unfit(many, 20);
        assembly {
            mstore(many, 32)
        }
        deploy("SignerSet", abi.encode(many, uint8(32), uint32(1)));
        address[] memory one = new address[](1);
        one[0] = stranger;
        deploy("SignerSet", abi.encode(one, uint8(1), uint32(1)));
        vm.assertEq(
            tryDeploy("SignerSet", abi.encode(one, uint8(1), uint32(0))), address(0), "a delay of zero"
        );
    }

    function unfit(address[] memory members, uint8 threshold) private {
        address deployed = tryDeploy("SignerSet", abi.encode(members, threshold, uint32(1)));
        vm.assertEq(deployed, address(0), "an unfit set");
    }

    function testAChangeIsInForceAfterTheDelayWithoutAFurtherCall() external {
        uint256[] memory next = sortedKeys("next", 4);
        SignerSet.SetChange memory m = SignerSet.SetChange(2, addressesOf(next), 3);
        bytes32 digest = Typed.changeDigest(address(signers), m);
        bytes memory members = accept(next, 3, digest);
        vm.expectEmit(address(signers));
        emit SignerSet.SetQueued(2, m.members, 3, block.timestamp + CHANGE);
        signers.changeSet(m, byMembers(0, 1, digest), members);
        vm.assertEq(signers.newestNumber(), 2, "queued");
        pass(CHANGE - 1);
        vm.assertTrue(signers.isQuorum(DIGEST, byMembers(0, 1, DIGEST)), "the old ones still");
        vm.assertFalse(signers.isQuorum(DIGEST, accept(next, 3, DIGEST)), "the new ones not yet");
        pass(1);
        vm.assertFalse(signers.isQuorum(DIGEST, byMembers(0, 1, DIGEST)), "the old ones no more");
        vm.assertTrue(signers.isQuorum(DIGEST, accept(next, 3, DIGEST)), "the new ones");
        (uint256 number,, uint8 threshold) = signers.current();
        vm.assertEq(number, 2, "in force");
        vm.assertEq(threshold, 3, "with its threshold");
        (uint256 activeFrom, address[] memory stored,) = signers.versionAt(1);
        vm.assertEq(activeFrom, START, "the old version is known");
        vm.assertEq(keccak256(abi.encode(stored)), keccak256(abi.encode(addressesOf(memberKeys))), "and who");
        (activeFrom,, threshold) = signers.versionAt(2);
        vm.assertEq(activeFrom, START + CHANGE, "so is the new one");
        vm.assertEq(threshold, 3, "with its threshold");
    }

    function testAVersionThatIsNotHasNoMembers() external {
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoSuchVersion.selector, 0));
        signers.versionAt(0);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoSuchVersion.selector, 2));
        signers.versionAt(2);
    }

    function testAChangeNeedsTheOldQuorumAndTheNewMembers() external {
        uint256[] memory next = sortedKeys("next", 3);
        SignerSet.SetChange memory m = SignerSet.SetChange(2, addressesOf(next), 2);
        bytes32 digest = Typed.changeDigest(address(signers), m);
        bytes memory members = accept(next, 2, digest);
        bytes memory quorum = byMembers(0, 1, digest);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoQuorum.selector, 1, digest));
        signers.changeSet(m, members, members);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoQuorum.selector, 2, digest));
        signers.changeSet(m, quorum, quorum);
        bytes memory tooFew = accept(next, 1, digest);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoQuorum.selector, 2, digest));
        signers.changeSet(m, quorum, tooFew);
        signers.changeSet(m, quorum, members);
    }

    function testAnUnfitChangeIsRefused() external {
        SignerSet.SetChange memory m = SignerSet.SetChange(2, addressesOf(memberKeys), 4);
        bytes memory quorum = byMembers(0, 1, Typed.changeDigest(address(signers), m));
        vm.expectRevert(abi.encodeWithSelector(SignerSet.UnfitMembers.selector, 3, 4));
        signers.changeSet(m, quorum, quorum);
    }

    function testChangesAreNumbered() external {
        uint256[3] memory wrong = [uint256(0), 1, 3];
        for (uint256 i = 0; i < 3; ++i) {
            SignerSet.SetChange memory m = SignerSet.SetChange(wrong[i], addressesOf(memberKeys), 2);
            bytes memory quorum = byMembers(0, 1, Typed.changeDigest(address(signers), m));
            vm.expectRevert(abi.encodeWithSelector(SignerSet.WrongNumber.selector, wrong[i], 2));
            signers.changeSet(m, quorum, quorum);
        }
    }

    function testSeveralChangesCatchUpInOneDelayOnAnyChain() external {
        uint256[] memory second = sortedKeys("second", 2);
        uint256[] memory third = sortedKeys("third", 2);
        SignerSet.SetChange memory toSecond = SignerSet.SetChange(2, addressesOf(second), 1);
        SignerSet.SetChange memory toThird = SignerSet.SetChange(3, addressesOf(third), 2);
        bytes32 digest = Typed.changeDigest(address(signers), toSecond);
        bytes memory a = byMembers(0, 2, digest);
        bytes memory b = accept(second, 1, digest);
        digest = Typed.changeDigest(address(signers), toThird);
        bytes memory c = accept(second, 1, digest);
        bytes memory d = accept(third, 2, digest);
        bytes memory byOldOnes = byMembers(0, 2, digest);
        vm.chainId(4711);
        signers.changeSet(toSecond, a, b);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoQuorum.selector, 2, digest));
        signers.changeSet(toThird, byOldOnes, d);
        signers.changeSet(toThird, c, d);
        pass(CHANGE - 1);
        vm.assertTrue(signers.isQuorum(DIGEST, byMembers(0, 1, DIGEST)), "until then the first");
        pass(1);
        vm.assertTrue(signers.isQuorum(DIGEST, accept(third, 2, DIGEST)), "the third at once");
        vm.assertFalse(signers.isQuorum(DIGEST, accept(second, 1, DIGEST)), "the second never");
    }

    function testAChangeOfAnotherSetHasNoEffect() external {
        SignerSet other = SignerSet(
            deploy("SignerSet", abi.encode(addressesOf(memberKeys), uint8(2), uint32(CHANGE)))
        );
        SignerSet.SetChange memory m = SignerSet.SetChange(2, addressesOf(memberKeys), 1);
        bytes32 digest = Typed.changeDigest(address(other), m);
        bytes memory quorum = byMembers(0, 1, digest);
        bytes memory member = sign(memberKeys[0], digest);
        vm.expectPartialRevert(SignerSet.NoQuorum.selector);
        signers.changeSet(m, quorum, member);
        other.changeSet(m, quorum, member);
    }

    function testAHeartbeatNamesANewBlockOfThisChain() external {
        SignerSet.Heartbeat memory m = beatOf(2_000);
        pass(5);
        bytes memory quorum = byMembers(1, 2, Typed.heartbeatDigest(address(signers), m));
        vm.expectEmit(address(signers));
        emit SignerSet.HeartbeatGiven(m.blockNumber, m.blockHash, m.statement);
        signers.heartbeat(m, quorum);
        vm.assertEq(signers.lastHeartbeat(), START + 5, "now");
        vm.assertEq(signers.lastHeartbeatBlock(), 2_000, "its block");
        vm.expectRevert(abi.encodeWithSelector(SignerSet.OldBlock.selector, 2_000, 2_000));
        signers.heartbeat(m, quorum);
        m = beatOf(2_001);
        quorum = byMembers(1, 2, Typed.heartbeatDigest(address(signers), m));
        vm.chainId(4711);
        vm.expectPartialRevert(SignerSet.NoQuorum.selector);
        signers.heartbeat(m, quorum);
    }

    function testAHeartbeatOfABlockNobodyKnowsIsRefused() external {
        SignerSet.Heartbeat memory m = beatOf(2_000);
        m.blockHash = "another";
        bytes memory quorum = byMembers(0, 1, Typed.heartbeatDigest(address(signers), m));
        vm.expectRevert(abi.encodeWithSelector(SignerSet.UnknownBlock.selector, 2_000, m.blockHash));
        signers.heartbeat(m, quorum);
        m.blockHash = 0;
        m.blockNumber = 10_000;
        quorum = byMembers(0, 1, Typed.heartbeatDigest(address(signers), m));
        vm.expectRevert(abi.encodeWithSelector(SignerSet.UnknownBlock.selector, 10_000, 0));
        signers.heartbeat(m, quorum);
    }

    function testAHeartbeatNeedsTheQuorum() external {
        SignerSet.Heartbeat memory m = beatOf(2_000);
        bytes32 digest = Typed.heartbeatDigest(address(signers), m);
        bytes memory one = sign(memberKeys[0], digest);
        vm.expectRevert(abi.encodeWithSelector(SignerSet.NoQuorum.selector, 1, digest));
        signers.heartbeat(m, one);
    }

    function testOlderBlocksComeFromTheContractOfTheProtocol() external {
        SignerSet.Heartbeat memory m = beatOf(2_000);
        vm.roll(2_500);
        bytes memory quorum = byMembers(0, 1, Typed.heartbeatDigest(address(signers), m));
        address history = 0x0000F90827F1C53a10cb7A02335B175320002935;
        vm.etch(history, "");
        vm.expectRevert(abi.encodeWithSelector(SignerSet.UnknownBlock.selector, 2_000, m.blockHash));
        signers.heartbeat(m, quorum);
        vm.etch(history, address(new BlockHistory(2_000, m.blockHash)).code);
        signers.heartbeat(m, quorum);
        vm.assertEq(signers.lastHeartbeatBlock(), 2_000, "taken");
    }

    function testAHistoryThatFailsOrAnswersShortIsNone() external {
        SignerSet.Heartbeat memory m = beatOf(2_000);
        vm.roll(2_500);
        bytes memory quorum = byMembers(0, 1, Typed.heartbeatDigest(address(signers), m));
        address history = 0x0000F90827F1C53a10cb7A02335B175320002935;
        // Reverts with a word; returns one byte.
        bytes[2] memory codes = [bytes(hex"60205ffd"), hex"60015ff3"];
        for (uint256 i = 0; i < 2; ++i) {
            vm.etch(history, codes[i]);
            vm.expectRevert(abi.encodeWithSelector(SignerSet.UnknownBlock.selector, 2_000, m.blockHash));
            signers.heartbeat(m, quorum);
        }
    }

    function beatOf(uint256 number) private returns (SignerSet.Heartbeat memory m) {
        vm.roll(number + 10);
        m = SignerSet.Heartbeat(number, keccak256(abi.encode(number)), "statement");
        vm.setBlockhash(number, m.blockHash);
    }

    function accept(uint256[] memory keys, uint256 count, bytes32 digest)
        private
        pure
        returns (bytes memory signatures)
    {
        for (uint256 i = 0; i < count; ++i) {
            signatures = bytes.concat(signatures, sign(keys[i], digest));
        }
    }
}

/// @notice Knows the hash of one block, as the contract of EIP-2935 knows many.
contract BlockHistory {
    uint256 private immutable number;
    bytes32 private immutable hash;

    constructor(uint256 number_, bytes32 hash_) {
        number = number_;
        hash = hash_;
    }

    fallback(bytes calldata question) external returns (bytes memory) {
        require(question.length == 32 && abi.decode(question, (uint256)) == number);
        return abi.encode(hash);
    }
}
